"""Structural verification: what every graph must satisfy before and after every pass."""

from __future__ import annotations

from edgeopt.ir.graph import Graph, Node, Value
from edgeopt.ir.text import node_text
from edgeopt.ir.types import VerificationError

NEIGHBOURS = 3


def verify(graph: Graph) -> None:
    """Check topological order, exact uses, unique names and constant types, in this graph and inside it.

    Raises VerificationError whose message shows the offending node with its neighbours.
    """
    _verify(graph, known={}, names={})


Readers = dict[int, set[tuple[int, int]]]  # id of a value that is defined -> id of a node that reads it, index of the input


def _verify(graph: Graph, known: Readers, names: dict[str, Value]) -> None:
    known, names = dict(known), dict(names)
    for value in [*graph.inputs, *graph.constants]:
        _define(graph, None, value, known, names)
    for value in graph.constants:
        _check_constant(value)
    for node in graph.nodes:
        _check_node(graph, node, known)
        for inner in node.subgraphs:
            if inner.parent is not graph:
                _fail(graph, node, "its subgraph does not name this graph as its parent")
            _verify(inner, known, names)
        for out in node.outputs:
            if out.producer is not node:
                _fail(graph, node, f"output '{out.name}' names another producer")
            _define(graph, node, out, known, names)
    for out in graph.outputs:
        if id(out) not in known:
            raise VerificationError(f"graph '{graph.name}': output '{out.name}' is computed nowhere")


def _define(graph: Graph, node: Node | None, value: Value, known: Readers, names: dict[str, Value]) -> None:
    if value.name and value.name in names:
        _fail(graph, node, f"the name '{value.name}' is defined twice")
    known[id(value)] = {(id(user), index) for user, index in value.uses}
    if len(known[id(value)]) < len(value.uses):
        _fail(graph, node, f"'{value.name}' lists a reader twice")
    if value.name:
        names[value.name] = value
    for user, index in value.uses:
        if index >= len(user.inputs) or user.inputs[index] is not value:
            _fail(graph, user, f"'{value.name}' lists it as a reader of input {index}, but it does not read it there")


def _check_node(graph: Graph, node: Node, known: Readers) -> None:
    if node.graph is not graph:
        _fail(graph, node, "it does not name this graph as its own")
    for index, value in enumerate(node.inputs):
        if value is None:
            continue
        if id(value) not in known:
            _fail(graph, node, f"input {index} '{value.name}' is not defined before it")
        if (id(node), index) not in known[id(value)]:
            _fail(graph, node, f"'{value.name}' does not list it as the reader of input {index}")


def _check_constant(value: Value) -> None:
    if value.load is None and value.type is not None and value.array.shape != value.type.shape:
        raise VerificationError(f"constant '{value.name}' has shape {value.array.shape}, its type says {value.type}")


def _fail(graph: Graph, node: Node | None, reason: str) -> None:
    if node is None:
        raise VerificationError(f"graph '{graph.name}': {reason}")
    around = [node_text(n) for n in graph.nodes]
    at = graph.nodes.index(node) if node in graph.nodes else 0
    first = max(0, at - NEIGHBOURS)
    lines = [("> " if first + i == at else "  ") + t for i, t in enumerate(around[first : at + NEIGHBOURS + 1])]
    raise VerificationError(f"graph '{graph.name}', node {node!r}: {reason}\n" + "\n".join(lines))
