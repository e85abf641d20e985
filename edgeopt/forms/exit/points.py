"""Where a network can be left: values through which everything that follows is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import dtype_of, outer_values, shape_of
from edgeopt.ops.macs import macs

DEEPEST = 0.95  # share of the multiply-accumulates behind which an exit saves nothing worth a head
MOST = 8  # places that are tried
PASSING = ("DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze")  # which keep probabilities
READ = ("float32", "int8", "uint8", "int16", "uint16")  # numbers, or codes of a quantised network


@dataclass(frozen=True)
class Point:
    """``value`` is known after ``depth`` (0 to 1) of the multiply-accumulates of the network, ``macs`` in all."""

    value: Value
    depth: float
    macs: int

    @property
    def node(self) -> Node:
        """What computes the value."""
        assert self.value.producer is not None
        return self.value.producer


def points(graph: Graph) -> list[Point]:
    """Values of one sample, numbers or codes, from which the rest of ``graph`` is computed, in order, the last of each run

    without products. A value is one when no other computed value, and no input, is needed behind it: it dominates the output.
    There are none where a network has several outputs.
    """
    if len(graph.outputs) != 1:
        return []
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


def hindrance(graph: Graph) -> str:
    """Why ``graph`` cannot be left early; empty where it can."""
    if len(graph.outputs) != 1:
        return f"the network has several outputs ({', '.join(v.name for v in graph.outputs)}), and an exit answers for one"
    if points(graph):
        return ""
    shape = shape_of(graph.outputs[0])
    if shape is not None and shape[:1] != (1,):
        return f"a call gives {list(shape)}, which is not one sample, and an exit decides for all of a call; export it for one"
    return "there is no place to leave this network early: no value of one sample carries all that follows"


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
    return dtype_of(value) in READ and shape is not None and len(shape) >= 2 and shape[0] == 1


def gives_probabilities(end: Value) -> bool:
    """Whether a softmax, of numbers or codes, makes the output ``end``."""
    node = end.producer
    while node is not None and node.is_op(*PASSING):
        source = node.input(0)
        node = None if source is None else source.producer
    return node is not None and (node.is_op("Softmax") or node.is_own("QuantSoftmax"))


def places(graph: Graph) -> list[Point]:
    """At most ``MOST`` of the points, spread over the depth."""
    found: Sequence[Point] = points(graph)
    if len(found) <= MOST:
        return list(found)
    wanted = np.linspace(found[0].depth, found[-1].depth, MOST)
    nearest = {int(np.argmin([abs(p.depth - w) for p in found])) for w in wanted}
    return [found[i] for i in sorted(nearest)]
