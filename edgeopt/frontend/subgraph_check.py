"""Checks that the subgraphs of If, Loop and Scan take and give as many values as their node."""

from __future__ import annotations

from collections.abc import Iterable

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node

PER_INPUT, PER_OUTPUT = ("scan_input_axes", "scan_input_directions"), ("scan_output_axes", "scan_output_directions")


def check_subgraphs(graph: Graph) -> None:
    """Raise EdgeoptError for the first If, Loop or Scan in ``graph`` whose subgraphs do not fit its inputs and outputs."""
    for inner in graph.walk():
        for node in inner.nodes:
            reason = next(filter(None, _misfits(node)), "")
            if reason:
                raise EdgeoptError(f"{node!r} does not fit its subgraph: {reason}")


def _misfits(node: Node) -> Iterable[str]:
    """Sentences about what does not fit, '' for what does."""
    if not node.is_op("If", "Loop", "Scan"):
        return
    given = {"If": 0, "Loop": max(len(node.inputs), 2), "Scan": len(node.inputs)}[node.op]
    made = len(node.outputs) + (node.op == "Loop")
    for name in ("then_branch", "else_branch") if node.is_op("If") else ("body",):
        body = node.attributes.get(name)
        if not isinstance(body, Graph):
            yield f"it has no {name}"
        else:
            yield _counts(name, body, given, made)
    if node.is_op("Scan"):
        yield from _scan(node)


def _counts(name: str, body: Graph, given: int, made: int) -> str:
    if len(body.inputs) != given:
        return f"its {name} takes {len(body.inputs)} inputs, {given} are given"
    return "" if len(body.outputs) == made else f"its {name} gives {len(body.outputs)} outputs, {made} are wanted"


def _scan(node: Node) -> Iterable[str]:
    count = node.integer("num_scan_inputs", 1)
    states = len(node.inputs) - count
    good = 1 <= count <= len(node.inputs) and states <= len(node.outputs) and None not in node.inputs
    yield "" if good else f"{count} of its {len(node.inputs)} inputs are scanned, and it has {len(node.outputs)} outputs"
    for names, wanted in ((PER_INPUT, count), (PER_OUTPUT, len(node.outputs) - states)):
        for name in names:
            got = len(node.integers(name, ()))
            yield "" if got in (0, wanted) else f"{name} names {got} of {wanted}"
