"""The plan that quantises a network: grids from calibration, weights layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.metrics import relative_error
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.quantize.grids import PRODUCT, Grids
from edgeopt.forms.quantize.reconstruct import Repairs, Task, reconstruct
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grid import LIMITS, QuantizationScheme, Quantizer
from edgeopt.ops.grids import QuantizationPlan, QuantizedWeight, quantizable_nodes

CALIBRATION_SAMPLES = 512
BIAS_LIMIT = 2.0**30
MOST_LOST = 0.01  # of the magnitude of a weight; where half precision has all its bits, it loses 0.0003
LARGEST_HALF = float(np.finfo(np.float16).max)


def make_plan(
    graph: Graph,
    data: DataSet,
    scheme: QuantizationScheme,
    layers: Collection[str] | None = None,
    method: str = PRODUCT,
    repairs: Repairs | None = None,
    overlay: Overlay | None = None,
    under: Overlay | None = None,
) -> QuantizationPlan:
    """The plan that quantises ``layers`` (all linear ones when None) with grids calibrated on ``data``.

    ``graph`` is an optimised float graph. ``overlay`` changes the float network that is observed (see ``data_free``); ``under``
    are the weights to quantise in place of its own.
    """
    nodes = fitting(_layers(graph, layers), scheme)
    data = data.subset(CALIBRATION_SAMPLES)
    grids = Grids(graph, nodes, data, overlay or under).found(method, scheme) if scheme.activations else {}
    how = repairs or Repairs(compensate=LIMITS.get(scheme.weights, (0, 1))[1] <= 7)
    return plans(graph, data, scheme, nodes, [(grids, how)], overlay, under)[0]


def plans(
    graph: Graph,
    data: DataSet,
    scheme: QuantizationScheme,
    nodes: Sequence[Node],
    ways: Sequence[tuple[Mapping[str, Quantizer], Repairs]],
    overlay: Overlay | None = None,
    under: Overlay | None = None,
) -> list[QuantizationPlan]:
    """One plan for each of ``ways``: grids of the activations by value, and what is repaired. They share a run of the network."""
    if scheme.weights == "float16":
        changed = {} if under is None else under.constants
        return [QuantizationPlan({n.name: half(changed.get((n.name, 1), n.constant(1))) for n in nodes}) for _ in ways]
    dtypes = {n.name: scheme.weights for n in nodes}
    tasks = [Task(dtypes, grids, scheme.per_channel, repairs) for grids, repairs in ways]
    found = reconstruct(graph, data, tasks, overlay, under)
    return [_plan(nodes, weights, task.activations, scheme) for weights, task in zip(found, tasks, strict=True)]


def unfit(nodes: Sequence[Node], scheme: QuantizationScheme) -> dict[str, str]:
    """The layers that cannot take the form of ``scheme``, with the reason; plans leave them out."""
    reasons = {n.name: _unfit(n, scheme) for n in nodes}
    return {name: reason for name, reason in reasons.items() if reason}


def fitting(nodes: Sequence[Node], scheme: QuantizationScheme) -> list[Node]:
    """Those of ``nodes`` that can take the form of ``scheme``."""
    return [n for n in nodes if not _unfit(n, scheme)]


def _unfit(node: Node, scheme: QuantizationScheme) -> str:
    weight = node.constant(1)
    if node.op == "ConvTranspose" and (scheme.dynamic or not scheme.activations):
        return f"transposed convolutions have no kernel for {scheme.name}"
    return beyond_half(weight) if scheme.weights == "float16" and weight is not None else ""


def beyond_half(weight: Array) -> str:
    """Why half precision cannot stand for ``weight``: too large, or so small that it is lost; empty when it can."""
    reach = float(np.abs(weight).max(initial=0.0))
    if reach > LARGEST_HALF:
        return f"its weights reach {reach:.6g}, half precision {LARGEST_HALF:.0f}"
    lost = relative_error(weight, half(weight).codes) if reach else 0.0
    return f"its weights reach only {reach:.3g}, of which half precision loses {100 * lost:.2g} %" if lost > MOST_LOST else ""


def _layers(graph: Graph, names: Collection[str] | None) -> list[Node]:
    return [n for n in quantizable_nodes(graph) if names is None or n.name in names]


def _plan(
    nodes: Sequence[Node], weights: dict[str, QuantizedWeight], grids: Mapping[str, Quantizer], scheme: QuantizationScheme
) -> QuantizationPlan:
    for node in nodes:
        source = node.input(0)
        grid_x = grids.get(source.name) if source is not None else None
        if grid_x is not None:
            weights[node.name] = bias_in_range(weights[node.name], node.constant(2), grid_x)
    return QuantizationPlan(weights, dict(grids), dynamic=frozenset(weights) if scheme.dynamic else frozenset())


def half(weight: Array | None) -> QuantizedWeight:
    """A weight in half precision."""
    assert weight is not None
    stored = weight.astype(np.float16).astype(np.float32)
    return QuantizedWeight(stored, Quantizer("float16", np.ones((), np.float32), np.zeros((), np.int32)))


def bias_in_range(made: QuantizedWeight, bias: Array | None, x: Quantizer) -> QuantizedWeight:
    """Coarser steps for channels whose bias would not fit 32 bits on the grid of the sums."""
    bias = made.bias if made.bias is not None else bias
    if bias is None:
        return made
    need = np.abs(bias).astype(np.float64) / (float(x.scale) * BIAS_LIMIT)
    # groups of a transposed convolution share their scales
    need = need.reshape(-1, made.grid.scale.size).max(axis=0) if np.ndim(made.grid.scale) else need.max(initial=0.0)
    if np.all(made.grid.scale >= need):
        return made
    grid = replace(made.grid, scale=np.maximum(made.grid.scale, need).astype(np.float32))
    return replace(made, codes=grid.quantize(made.array), grid=grid)
