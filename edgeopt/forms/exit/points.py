"""Where a network can be left: values through which everything that follows is computed."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.ir import Graph, Value
from edgeopt.ir.match import dtype_of, outer_values, shape_of
from edgeopt.ops.macs import macs

DEEPEST = 0.95  # share of the multiply-accumulates behind which an exit saves nothing worth a head


@dataclass(frozen=True)
class Point:
    """``value`` is known after ``depth`` (0 to 1) of the multiply-accumulates of the network, ``macs`` in all."""

    value: Value
    depth: float
    macs: int


def points(graph: Graph) -> list[Point]:
    """Float32 values of one sample from which the rest of ``graph`` is computed, in order, the last of each run without products.

    A value is one when no other computed value, and no input, is needed behind it: it dominates the output.
    """
    last = _last_reads(graph)
    made = {out: index for index, node in enumerate(graph.nodes) for out in node.outputs}
    work = [macs(node) or 0 for node in graph.nodes]
    total, done, found = sum(work) or 1, 0, []
    for index, node in enumerate(graph.nodes[:-1]):
        done += work[index]
        alive = [v for v in last if last[v] > index >= made.get(v, 0)]
        if len(alive) == 1 and alive[0] in node.outputs and _suits(alive[0]) and 0 < done / total <= DEEPEST:
            found.append(Point(alive[0], done / total, total))
    return [p for p, after in zip(found, [*found[1:], None], strict=False) if after is None or after.depth > p.depth]


def _last_reads(graph: Graph) -> dict[Value, int]:
    """The position of the last node that reads each computed value or input."""
    last: dict[Value, int] = {}
    for index, node in enumerate(graph.nodes):
        for value in (*node.inputs, *outer_values(node)):
            if value is not None and not value.is_constant:
                last[value] = index
    return last


def _suits(value: Value) -> bool:
    shape = shape_of(value)
    return dtype_of(value) == "float32" and shape is not None and len(shape) >= 2 and shape[0] == 1
