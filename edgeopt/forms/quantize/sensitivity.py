"""What one layer does to the result of the whole network."""

from __future__ import annotations

from collections.abc import Iterable

from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.metrics import divergence
from edgeopt.evaluate.observe import Overlay, observe
from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.match import dtype_of
from edgeopt.ops.grids import QuantizationPlan, linear_nodes

SAMPLES = 48


def overlay_of(graph: Graph, plan: QuantizationPlan, names: Iterable[str] | None = None) -> Overlay:
    """The Overlay that runs ``plan``; with ``names`` only those layers, each with the rounding of what it reads."""
    nodes = {n.name: n for n in linear_nodes(graph)}
    chosen = set(plan.weights if names is None else names) & set(plan.weights)
    made = Overlay(quantizers=dict(plan.activations) if names is None else {})
    for name in chosen:
        _add(nodes[name], plan, made)
    return made


def _add(node: Node, plan: QuantizationPlan, made: Overlay) -> None:
    layer = plan.weights[node.name]
    made.constants[node.name, 1] = layer.array
    if node.input(2) is not None and layer.bias is not None:
        made.constants[node.name, 2] = layer.bias
    for value in (node.input(0), node.input(3)):
        if value is not None and value.name in plan.activations:
            made.quantizers[value.name] = plan.activations[value.name]


def judged(graph: Graph, data: DataSet) -> str:
    """The output that errors are measured at: the one that the labels of ``data`` belong to, else the first in float32."""
    real = (v.name for v in graph.outputs if not v.is_constant and dtype_of(v) == "float32")
    return data.output or next(real, graph.outputs[0].name)


def by_samples(result: Array, data: DataSet) -> Array:
    """``result`` with a row for each label, where its leading axis is another one than that of the samples."""
    count = len(result) if data.labels is None else len(data.labels)
    return result if len(result) == count or not count or result.size % count else result.reshape(count, -1)


def outputs(graph: Graph, data: DataSet, overlay: Overlay | None = None) -> Array:
    """The judged output of ``graph`` on ``data``."""
    name, data = judged(graph, data), fitted(data, graph)
    return by_samples(observe(graph, [name], data, overlay)[name], data)


def sensitivities(graph: Graph, plan: QuantizationPlan, data: DataSet, samples: int = SAMPLES) -> dict[str, float]:
    """For each layer of ``plan`` the divergence of the network's output when that layer alone is quantised."""
    data = data.subset(samples)
    reference = outputs(graph, data)
    return {n: divergence(reference, outputs(graph, data, overlay_of(graph, plan, [n]))) for n in plan.weights}
