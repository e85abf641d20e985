"""What a plan does to a run of the float network."""

from __future__ import annotations

from collections.abc import Iterable

from edgeopt.evaluate.observe import Overlay
from edgeopt.ir import Graph, Node
from edgeopt.ops.grids import QuantizationPlan, quantizable_nodes
from edgeopt.ops.recurrent import WEIGHTS


def overlay_of(graph: Graph, plan: QuantizationPlan, names: Iterable[str] | None = None) -> Overlay:
    """The Overlay that runs ``plan``; with ``names`` only those layers, each with the rounding of what it reads."""
    nodes = {n.name: n for n in quantizable_nodes(graph)}
    chosen = set(plan.weights if names is None else names) & set(plan.weights)
    made = Overlay(quantizers=dict(plan.activations) if names is None else {})
    for name in chosen:
        _add(nodes[name], plan, made)
    for name in plan.recurrent if names is None else set(names) & set(plan.recurrent):
        for index, weight in zip(WEIGHTS, plan.recurrent[name], strict=True):
            made.constants[name, index] = weight.array
            made.grids[name, index] = weight.grid
    read = {n.name: n.input(0) for n in graph.nodes if n.name in plan.recurrent_grids and (names is None or n.name in names)}
    for name, value in read.items():  # what rounding its units in every step changes is left to the compiled network
        if value is not None:
            made.quantizers.setdefault(value.name, plan.recurrent_grids[name][0])
    return made


def _add(node: Node, plan: QuantizationPlan, made: Overlay) -> None:
    layer = plan.weights[node.name]
    made.constants[node.name, 1] = layer.array
    made.grids[node.name, 1] = layer.grid
    if node.input(2) is not None and layer.bias is not None:
        made.constants[node.name, 2] = layer.bias
    for value in (node.input(0), node.input(3)):
        if value is not None and value.name in plan.activations:
            made.quantizers[value.name] = plan.activations[value.name]
