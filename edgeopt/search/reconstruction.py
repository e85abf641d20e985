"""Layer by layer from input to output: each weight is rounded for the inputs it gets, and its mean error goes into the bias.

The rounded and the float network are run side by side. At a layer with float weight W, float inputs y and rounded inputs x the
target W y is approached by the weight W E[y x^T] E[x x^T]^-1 (least squares), whose codes adaptive rounding finds; the bias takes
E[W y] - E[W' x] (empirical bias correction; Nagel et al., Data-Free Quantization, 2019, section 4.2.1, appendix D).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from edgeopt.accuracy import rounding
from edgeopt.accuracy.data import DataSet
from edgeopt.accuracy.observe import Overlay, apply, last_readers, operand, rounded
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.quantization import LIMITS, Quantizer, quantizer
from edgeopt.ops.quantization_plan import QuantizedWeight, linear_nodes, weight_axis
from edgeopt.search.moments import Moments, grouped, layer_moments, ungrouped

MAX_BYTES = 128 << 20
MAX_ROUNDED_COLUMNS = 4608
BINARY_LIMITS = (-1, rounding.BINARY)


@dataclass(frozen=True)
class Repairs:
    """Which repairs are made: ``adaptive`` rounding, ``compensate`` for rounded inputs, ``correct_bias``."""

    adaptive: bool = True
    compensate: bool = True
    correct_bias: bool = True


def reconstruct(
    graph: Graph,
    data: DataSet,
    dtypes: Mapping[str, str],
    activations: Mapping[str, Quantizer],
    per_channel: bool = True,
    repairs: Repairs | None = None,
    base: Overlay | None = None,
) -> dict[str, QuantizedWeight]:
    """A QuantizedWeight for each linear node named in ``dtypes``, which gives the element type of its codes.

    ``graph`` must keep its samples apart (``observe.is_samplewise``). With ``base``, the layers see the inputs of that network.
    """
    repairs = repairs or Repairs()
    data = data.subset(_affordable(graph))
    chosen = {n for n in linear_nodes(graph) if n.name in dtypes}
    plain = base or Overlay()
    # Constants of a base network belong to its inputs only, so that there the float network stands for both.
    overlay = Overlay(quantizers=dict(activations)) if base is None else plain
    feeds = {v.name: data.arrays[v.name] for v in graph.inputs}
    float_run = dict(feeds)
    rounded_run = {name: rounded(name, array, overlay) for name, array in feeds.items()}
    found: dict[str, QuantizedWeight] = {}
    last = last_readers(graph)
    for node in graph.nodes:
        if node in chosen:
            found[node.name] = _layer(node, rounded_run, float_run, dtypes[node.name], per_channel, repairs)
            if base is None:
                _override(node, found[node.name], overlay)
        for run, layer in ((float_run, plain), (rounded_run, overlay)):
            with threadpool_limits(1):
                results = apply(node, [operand(v, run, layer) for v in node.inputs])
            run.update((o.name, rounded(o.name, r, layer)) for o, r in zip(node.outputs, results, strict=False) if o.name)
        for name in last.get(node, ()):
            del float_run[name], rounded_run[name]
    return found


def _affordable(graph: Graph) -> int:
    sizes = [4 * int(np.prod(o.type.dims)) for n in graph.nodes for o in n.outputs if o.type is not None and o.type.static]
    return max(16, MAX_BYTES // max(sizes, default=1))


def _override(node: Node, weight: QuantizedWeight, overlay: Overlay) -> None:
    value, bias = node.input(1), node.input(2)
    assert value is not None
    overlay.constants[value.name] = weight.array
    if bias is not None and weight.bias is not None:
        overlay.constants[bias.name] = weight.bias


def _layer(
    node: Node, rounded_run: Mapping[str, Array], float_run: Mapping[str, Array], dtype: str, per_channel: bool, repairs: Repairs
) -> QuantizedWeight:
    value, weight = node.input(0), node.constant(1)
    assert value is not None and weight is not None
    with threadpool_limits(1):
        moments = layer_moments(node, rounded_run[value.name], float_run[value.name])
        rows = grouped(node, weight)
        codes, scale = _codes(rows, moments, LIMITS.get(dtype, BINARY_LIMITS)[1], per_channel, repairs)
    axis = weight_axis(node) if per_channel else None
    dtype = "int2" if dtype == "binary" else dtype
    steps = scale.reshape(-1) if per_channel else scale.reshape(-1)[0]
    grid = quantizer(dtype, steps, np.zeros(np.shape(steps), np.int32), axis, narrow=True)
    result = ungrouped(node, codes, weight.shape).astype(np.int32)
    bias = _bias(node, rows, codes * scale[:, :, None], moments) if repairs.correct_bias else None
    return QuantizedWeight(result, grid, bias)


def _codes(rows: Array, moments: Moments, limit: int, per_channel: bool, repairs: Repairs) -> tuple[Array, Array]:
    h = rounding.damped(moments.own)
    target = rows
    if repairs.compensate:
        # Damping towards E[y x^T] = E[x x^T] keeps directions without evidence as they are.
        cross = moments.cross + (h - moments.own)
        target = np.linalg.solve(h.transpose(0, 2, 1), (rows @ cross).transpose(0, 2, 1)).transpose(0, 2, 1)
    bound = rounding.best_bound(target, h, limit) if repairs.adaptive or limit <= 1 else np.abs(target).max(axis=2)
    if not per_channel:
        bound = np.full(bound.shape, np.abs(target).max() if limit > 1 else bound.mean())
    scale = np.where(bound > 0, bound / max(limit, 1), 1.0).astype(np.float32).astype(np.float64)
    if not repairs.adaptive or rows.shape[2] > MAX_ROUNDED_COLUMNS:
        return rounding.nearest(target / scale[:, :, None], limit), scale
    codes = rounding.round_with_feedback(target, h, scale, limit)
    return rounding.descend(target, codes, h, scale, limit), scale


def _bias(node: Node, rows: Array, made: Array, moments: Moments) -> Array | None:
    """The bias plus the mean of what the layer lost; a node without a bias keeps none."""
    bias = node.constant(2)
    if bias is None:
        return None
    lost = np.einsum("grk,gk->gr", rows, moments.reference_mean) - np.einsum("grk,gk->gr", made, moments.mean)
    return np.asarray(bias + lost.reshape(-1), np.float32)
