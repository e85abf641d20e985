"""Checks the names and the order of a graph in Python, so that no native code ever sees a graph that is not sound.

Every name that is read is defined, once, in its graph or an enclosing one; nodes are put into topological order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from onnx import AttributeProto, GraphProto, NodeProto

from edgeopt.errors import EdgeoptError

NodeCheck = Callable[[NodeProto], None]


def order_graph(graph: GraphProto, check_node: NodeCheck, outer: tuple[set[str], ...] = ()) -> set[str]:
    """Check ``graph`` and its subgraphs and sort their nodes in place; returns the names it reads from ``outer`` graphs.

    ``check_node`` is called once for every node. Raises EdgeoptError for names that are missing or defined twice and for cycles.
    """
    defined = _definitions(graph)
    scopes = (*outer, set(defined))
    captured: set[str] = set()
    reads: list[set[str]] = []
    for node in graph.node:
        check_node(node)
        names = {name for name in node.input if name}
        for inner in subgraphs(node):
            names |= order_graph(inner, check_node, scopes)
        captured |= _resolve({n for n in names if n not in defined}, outer, node, graph.name)
        reads.append(names)
    captured |= _resolve({out.name for out in graph.output if out.name not in defined}, outer, None, graph.name)
    _sort(graph, reads, defined)
    return captured


def describe(node: NodeProto) -> str:
    """A node for a message: its operator and its name, or its first output when it has none."""
    op = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    return f"{op} '{node.name}'" if node.name else f"{op} that computes '{node.output[0] if node.output else '?'}'"


def subgraphs(node: NodeProto) -> Iterable[GraphProto]:
    """The graphs among the attributes of ``node``."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _definitions(graph: GraphProto) -> dict[str, int]:
    """Name -> index of the node that computes it, -1 for inputs and initializers."""
    defined: dict[str, int] = {}
    constants = [*(t.name for t in graph.initializer), *(s.values.name for s in graph.sparse_initializer)]
    for name in [*(v.name for v in graph.input), *constants]:
        _define(defined, name, -1, graph.name, "an input or initializer")
    for index, node in enumerate(graph.node):
        for name in filter(None, node.output):
            _define(defined, name, index, graph.name, describe(node))
    return defined


def _define(defined: dict[str, int], name: str, index: int, graph: str, by: str) -> None:
    if not name:
        raise EdgeoptError(f"graph '{graph}' has {by} without a name; export the model again")
    if name in defined:
        raise EdgeoptError(f"graph '{graph}' defines the name '{name}' twice, the second time by {by}; names must be unique")
    defined[name] = index


def _resolve(names: set[str], outer: tuple[set[str], ...], node: NodeProto | None, graph: str) -> set[str]:
    missing = sorted(name for name in names if not any(name in scope for scope in outer))
    if missing:
        reader = "its output list" if node is None else describe(node)
        raise EdgeoptError(f"graph '{graph}': {reader} reads '{missing[0]}', which nothing defines; the model is incomplete")
    return names


def _sort(graph: GraphProto, reads: list[set[str]], defined: dict[str, int]) -> None:
    needs = [{defined[n] for n in names if defined.get(n, -1) >= 0} for names in reads]
    if all(max(need, default=-1) < index for index, need in enumerate(needs)):
        return
    order = _topological(needs)
    if len(order) < len(needs):
        stuck = graph.node[min(set(range(len(needs))) - set(order))]
        raise EdgeoptError(f"graph '{graph.name}' has a cycle through {describe(stuck)}; a model must be acyclic")
    nodes = [graph.node[i] for i in order]
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _topological(needs: list[set[int]]) -> list[int]:
    readers: list[list[int]] = [[] for _ in needs]
    for index, need in enumerate(needs):
        for producer in need:
            readers[producer].append(index)
    waiting = [len(need) for need in needs]
    ready = [index for index, count in enumerate(waiting) if count == 0]
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers[index]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, reader)
    return order
