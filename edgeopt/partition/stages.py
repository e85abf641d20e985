"""The network of a graph: its nodes as stages with what each tier needs for them, and its values as tensors."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import outer_values
from edgeopt.partition.layer_costs import LayerCosts
from edgeopt.partition.network import INPUT, Network, Stage, Tensor


def network(graph: Graph, costs: Sequence[LayerCosts]) -> Network:
    """``graph`` with the cost of its nodes on each tier, by their names; a node that is not named there costs nothing.

    Raises EdgeoptError for a value whose shape is not known, since what it weighs on a link is not known either.
    """
    index = {node: i for i, node in enumerate(graph.nodes)}
    stages = tuple(
        Stage(
            node.name,
            tuple(tier.seconds.get(node.name, 0.0) for tier in costs),
            tuple(tier.joule.get(node.name, 0.0) for tier in costs),
        )
        for node in graph.nodes
    )
    readers = _readers(graph)
    values = [*graph.inputs, *(out for node in graph.nodes for out in node.outputs)]
    ends = {id(value) for value in graph.outputs}
    tensors = [
        Tensor(value.name, _size(value), index[value.producer] if value.producer is not None else INPUT,
               tuple(sorted({index[node] for node in readers.get(value, ())})), id(value) in ends)
        for value in values
        if value in readers or id(value) in ends
    ]  # fmt: skip
    return Network(stages, tuple(tensors))


def reads(node: Node) -> list[Value]:
    """The values that ``node`` needs: its inputs, and what its subgraphs take from outside."""
    return [*(value for value in node.inputs if value is not None), *outer_values(node)]


def _readers(graph: Graph) -> dict[Value, list[Node]]:
    readers: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for value in dict.fromkeys(reads(node)):
            if not value.is_constant and (value.producer is None or value.producer.graph is graph):
                readers.setdefault(value, []).append(node)
    return readers


def _size(value: Value) -> int:
    if value.type is None or not value.type.static:
        raise EdgeoptError(
            f"the shape of '{value.name}' is not known ({value.type}), so it cannot be planned where it is sent; "
            "bind dimensions with --shape"
        )
    return value.type.nbytes
