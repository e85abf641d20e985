"""The meaning of If, Loop and Scan: walk the subgraph node by node, as the ONNX operator documentation defines them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node, Value, numpy_dtype
from edgeopt.ops.trips import check_stacks, check_trips, limit_of

Environment = dict[str, Array]
Evaluate = Callable[[Node, Sequence[Array | None], Mapping[str, Array] | None], list[Array]]


def run(node: Node, inputs: list[Array | None], captured: Environment, evaluate: Evaluate) -> list[Array]:
    """The named outputs of an If, Loop or Scan node. ``captured`` holds values of enclosing graphs by name."""
    results = {"If": _run_if, "Loop": _run_loop, "Scan": _run_scan}[node.op](node, inputs, captured, evaluate)
    return [result for out, result in zip(node.outputs, results, strict=True) if out.name]


def run_graph(graph: Graph, inputs: Sequence[Array | None], captured: Mapping[str, Array], evaluate: Evaluate) -> list[Array]:
    """Run all nodes of ``graph``; returns its outputs."""
    environment = dict(captured)
    environment.update((v.name, a) for v, a in zip(graph.inputs, inputs, strict=True) if a is not None)
    for node in graph.nodes:
        run_node(node, environment, evaluate)
    return [lookup(value, environment) for value in graph.outputs]


def run_node(node: Node, environment: Environment, evaluate: Evaluate) -> None:
    """Run one node on the values of ``environment`` and add its outputs there."""
    inputs = [None if v is None else lookup(v, environment) for v in node.inputs]
    outputs = evaluate(node, inputs, environment)
    environment.update(zip((v.name for v in node.outputs if v.name), outputs, strict=True))


def lookup(value: Value, environment: Mapping[str, Array]) -> Array:
    """The array of ``value``. Raises EdgeoptError when it was not computed."""
    if value.is_constant:
        return value.array
    if value.name not in environment:
        raise EdgeoptError(f"the value '{value.name}' is needed before it is computed; feed it as an input")
    return environment[value.name]


def _subgraph(node: Node, name: str) -> Graph:
    graph = node.attributes.get(name)
    if not isinstance(graph, Graph):
        raise EdgeoptError(f"{node!r} lacks its subgraph '{name}'")
    return graph


def _run_if(node: Node, inputs: list[Array | None], captured: Environment, evaluate: Evaluate) -> list[Array]:
    condition = inputs[0]
    if condition is None or condition.size != 1:
        raise EdgeoptError(f"{node!r} needs a condition of one element")
    branch = "then_branch" if bool(condition.reshape(())) else "else_branch"
    return run_graph(_subgraph(node, branch), [], captured, evaluate)


def _run_loop(node: Node, inputs: list[Array | None], captured: Environment, evaluate: Evaluate) -> list[Array]:
    body = _subgraph(node, "body")
    limit, memory = None if inputs[0] is None else int(inputs[0].reshape(())), limit_of(node)
    condition = len(inputs) < 2 or inputs[1] is None or bool(inputs[1].reshape(()))
    state, trip, stacked = list(inputs[2:]), 0, 0
    collected: list[list[Array]] = [[] for _ in body.outputs[1 + len(state) :]]
    while condition and (limit is None or trip < limit):
        results = run_graph(body, [np.asarray(trip, np.int64), np.asarray(condition), *state], captured, evaluate)
        condition = bool(results[0].reshape(()))
        carried = len(state)
        state = list(results[1 : 1 + carried])
        for scan, result in zip(collected, results[1 + carried :], strict=True):
            scan.append(result)
            stacked += result.nbytes
        check_stacks(node, stacked, memory)
        trip += 1
        check_trips(node, trip)
    if trip == 0 and collected and not all(v.type is not None and v.type.static for v in body.outputs[1 + len(state) :]):
        # nothing says what shape an element would have had, but a turn that is not taken
        unseen = run_graph(body, [np.asarray(0, np.int64), np.asarray(condition), *state], captured, evaluate)[1 + len(state) :]
        return [*(s for s in state if s is not None), *(np.zeros((0, *r.shape), r.dtype) for r in unseen)]
    stacks = [_stack(s, v) for s, v in zip(collected, body.outputs[1 + len(state) :], strict=True)]
    return [*(s for s in state if s is not None), *stacks]


def _stack(items: list[Array], value: Value, axis: int = 0) -> Array:
    if items:
        return np.stack(items, axis)
    if value.type is None or value.type.shape is None:
        raise EdgeoptError(f"the loop never runs, so the shape of its output '{value.name}' is unknown")
    shape = [d if isinstance(d, int) else 0 for d in value.type.shape]
    return np.zeros([0, *shape], numpy_dtype(value.type.dtype))


def _run_scan(node: Node, inputs: list[Array | None], captured: Environment, evaluate: Evaluate) -> list[Array]:
    body, count = _subgraph(node, "body"), node.integer("num_scan_inputs", 1)
    states, scans = len(inputs) - count, len(body.outputs) - len(inputs) + count
    axes, directions = (_per(node, f"scan_input_{k}", count) for k in ("axes", "directions"))
    out_axes, out_directions = (_per(node, f"scan_output_{k}", scans) for k in ("axes", "directions"))
    moved = [np.moveaxis(a, x, 0) for a, x in zip(inputs[states:], axes, strict=True) if a is not None]
    sequences = [a[::-1] if d else a for a, d in zip(moved, directions, strict=True)]
    state: list[Array | None] = list(inputs[:states])
    collected: list[list[Array]] = [[] for _ in range(scans)]
    check_trips(node, sequences[0].shape[0])
    stacked, memory = 0, limit_of(node)
    for step in range(sequences[0].shape[0]):
        results = run_graph(body, [*state, *(np.asarray(s[step]) for s in sequences)], captured, evaluate)
        state = list(results[:states])
        for scan, result in zip(collected, results[states:], strict=True):
            scan.append(result)
            stacked += result.nbytes
        check_stacks(node, stacked, memory)
    ordered = [s[::-1] if d else s for s, d in zip(collected, out_directions, strict=True)]
    stacks = [_stack(s, v, x) for s, v, x in zip(ordered, body.outputs[states:], out_axes, strict=True)]
    return [*(s for s in state if s is not None), *stacks]


def _per(node: Node, name: str, count: int) -> tuple[int, ...]:
    return node.integers(name) or (0,) * count
