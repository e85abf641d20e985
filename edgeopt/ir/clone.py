"""Copies of graphs: a candidate is made of a copy, and the original stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgeopt.ir.graph import Graph, Node, Value


def clone(graph: Graph) -> Graph:
    """A copy of ``graph`` with the same names. The data of constants is shared, everything else is new."""
    return _clone(graph, {})


def copied(nodes: Sequence[Node], into: Graph, outside: Iterable[Value]) -> dict[Value, Value]:
    """Copy ``nodes``, which lie in topological order, to the end of ``into``; they read the values ``outside`` themselves.

    Returns the copy of each value that they make, under the same name.
    """
    known = {value: value for value in outside}
    for node in nodes:
        into.insert(_node(node, known))
    return {out: known[out] for node in nodes for out in node.outputs}


def _clone(graph: Graph, known: dict[Value, Value]) -> Graph:
    made = Graph(
        name=graph.name,
        opsets=dict(graph.opsets),
        ir_version=graph.ir_version,
        metadata=dict(graph.metadata),
        functions=list(graph.functions),
        producer=graph.producer,
        declared=dict(graph.declared),
        memory_limit=graph.memory_limit,
        _serial=graph._serial,
    )
    made.inputs = [_value(v, known) for v in graph.inputs]
    made.constants = [_value(v, known) for v in graph.constants]
    for node in graph.nodes:
        made.insert(_node(node, known))
    made.outputs = [_value(v, known) for v in graph.outputs]
    return made


def _node(node: Node, known: dict[Value, Value]) -> Node:
    inputs = [None if v is None else _value(v, known) for v in node.inputs]
    # Values of the enclosing graph are known by the time its subgraphs are copied, because nodes lie in topological order.
    attributes = {k: _clone(a, known) if isinstance(a, Graph) else a for k, a in node.attributes.items()}
    outputs = [_value(v, known) for v in node.outputs]
    return Node(node.op, inputs, outputs, attributes, node.domain, node.name, dict(node.metadata))


def _value(value: Value, known: dict[Value, Value]) -> Value:
    if value not in known:
        known[value] = Value(value.name, value.type, load=value.load, _array=value._array)
    return known[value]
