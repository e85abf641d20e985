"""The plan that quantises a network: grids from calibration, weights layer by layer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from edgeopt.accuracy.calibration import Statistic, calibrate, collect, merged
from edgeopt.accuracy.data import DataSet
from edgeopt.accuracy.observe import Overlay, is_samplewise
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph
from edgeopt.ops.quantization import LIMITS, QuantizationScheme, Quantizer
from edgeopt.ops.quantization_plan import QuantizationPlan, QuantizedWeight, grid_groups, linear_nodes
from edgeopt.search.reconstruction import Repairs, Task, reconstruct

CALIBRATION_SAMPLES = 512
BIAS_LIMIT = 2.0**30


def make_plan(
    graph: Graph,
    data: DataSet,
    scheme: QuantizationScheme,
    layers: Collection[str] | None = None,
    method: str = "mse",
    repairs: Repairs | None = None,
    overlay: Overlay | None = None,
) -> QuantizationPlan:
    """The plan that quantises ``layers`` (all linear ones when None) with grids calibrated on ``data``.

    ``graph`` is an optimised float graph. ``overlay`` changes the float network that is observed (see ``data_free``). Raises
    EdgeoptError when the graph's samples cannot be kept apart.
    """
    if not is_samplewise(graph):
        raise EdgeoptError(f"graph '{graph.name}' cannot be calibrated: an operator mixes samples or a shape is not static")
    nodes = [n for n in linear_nodes(graph) if layers is None or n.name in layers]
    if scheme.weights == "float16":
        return QuantizationPlan({n.name: _half(n.constant(1)) for n in nodes})
    data = data.subset(CALIBRATION_SAMPLES)
    activations: dict[str, Quantizer] = {}
    if scheme.activations:
        groups = grid_groups(graph, nodes)
        seen = collect(graph, [v.name for g in groups for v in g], data, overlay=overlay)
        for group in groups:
            grid = _grid(merged(seen[v.name] for v in group), method, scheme)
            activations.update({v.name: grid for v in group})
    how = repairs or Repairs(compensate=LIMITS.get(scheme.weights, (0, 1))[1] <= 7)
    task = Task({n.name: scheme.weights for n in nodes}, activations, scheme.per_channel, how)
    (weights,) = reconstruct(graph, data, [task], overlay)
    for node in nodes:
        source = node.input(0)
        grid_x = activations.get(source.name) if source is not None else None
        if grid_x is not None:
            weights[node.name] = bias_in_range(weights[node.name], node.constant(2), grid_x)
    return QuantizationPlan(weights, activations, dynamic=frozenset(weights) if scheme.dynamic else frozenset())


def _grid(statistic: Statistic, method: str, scheme: QuantizationScheme) -> Quantizer:
    return calibrate(statistic, method, scheme.activations, scheme.symmetric)


def _half(weight: Array | None) -> QuantizedWeight:
    assert weight is not None
    stored = weight.astype(np.float16).astype(np.float32)
    return QuantizedWeight(stored, Quantizer("float16", np.ones((), np.float32), np.zeros((), np.int32)))


def bias_in_range(made: QuantizedWeight, bias: Array | None, x: Quantizer) -> QuantizedWeight:
    """Coarser steps for channels whose bias would not fit 32 bits on the grid of the sums."""
    bias = made.bias if made.bias is not None else bias
    if bias is None:
        return made
    need = np.abs(bias).astype(np.float64) / (float(x.scale) * BIAS_LIMIT)
    need = need if np.ndim(made.grid.scale) else need.max(initial=0.0)
    if np.all(made.grid.scale >= need):
        return made
    grid = replace(made.grid, scale=np.maximum(made.grid.scale, need).astype(np.float32))
    return replace(made, codes=grid.quantize(made.array), grid=grid)
