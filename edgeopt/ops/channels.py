"""Which channels of a graph belong together: what takes one of them away has to take the whole class.

Channels are classed along one axis of each value. Operators that treat each channel alike pass classes on, sums and products of
two maps unite those that meet, a concatenation puts them side by side, and a flattening repeats each. A class is fixed where
something reads it that needs all channels: an output of the graph, or an operator without a rule (``channel_rules``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from edgeopt.ir import Array, Graph, Node, Value
from edgeopt.ir.match import outer_values, shape_of

Cuts = list[tuple[int, Array]]  # axes of a constant with the class of each place along them


@dataclass(eq=False)
class Channels:
    """Classes are numbers below ``len(fixed)``; those that cannot go are ``fixed``.

    ``values`` holds the axis of channels and their classes by the name of a value, ``operands`` the Cuts of constants by name of
    the node and index of the input. ``makers`` are the layers that compute channels, with the class of each, ``readers`` those
    that mix them, with the class of each input; ``depthwise`` layers and those ``pads`` that add channels follow.
    """

    fixed: Array
    values: dict[str, tuple[int, Array]] = field(default_factory=dict)
    operands: dict[tuple[str, int], Cuts] = field(default_factory=dict)
    makers: dict[str, Array] = field(default_factory=dict)
    readers: dict[str, Array] = field(default_factory=dict)
    depthwise: set[str] = field(default_factory=set)
    pads: dict[str, tuple[int, Array, Array]] = field(default_factory=dict)


class Classing:
    """Channels under way: what is united later gets one number at the end."""

    def __init__(self) -> None:
        self.found = Channels(np.zeros(0, bool))
        self._parents: list[int] = []
        self._fixed: set[int] = set()

    def fresh(self, count: int) -> Array:
        """``count`` classes that nothing else has."""
        start = len(self._parents)
        self._parents += range(start, start + count)
        return np.arange(start, start + count)

    def _root(self, one: int) -> int:
        while self._parents[one] != one:
            self._parents[one] = self._parents[self._parents[one]]
            one = self._parents[one]
        return one

    def unite(self, some: Array, others: Array) -> None:
        """Channels at the same place of both belong together."""
        for a, b in zip(some.tolist(), others.tolist(), strict=True):
            self._parents[self._root(b)] = self._root(a)

    def fix(self, value: Value) -> None:
        """All channels of ``value`` are needed."""
        if value.name in self.found.values:
            self._fixed.update(self.found.values[value.name][1].tolist())

    def axis(self, values: list[Value]) -> int | None:
        """The axis of the channels of the first of ``values`` that has any."""
        return next((self.found.values[v.name][0] for v in values if v.name in self.found.values), None)

    def of(self, value: Value, axis: int) -> Array:
        """The classes of ``value`` along ``axis``; fixed ones where nothing is known of them."""
        known, dims = self.found.values.get(value.name), shape_of(value)
        if known is not None and known[0] == axis:
            return known[1]
        assert dims is not None
        self.fix(value)
        made = self.fresh(dims[axis])
        self._fixed.update(made.tolist())
        if known is None:
            self.found.values[value.name] = axis, made
        return made

    def gives(self, node: Node, axis: int, classes: Array) -> bool:
        """The output of ``node`` has ``classes`` along ``axis``."""
        self.found.values[node.output.name] = axis, classes
        return True

    def result(self) -> Channels:
        """The classes as they are in the end."""
        roots, found = np.array([self._root(i) for i in range(len(self._parents))], np.int64), self.found
        fixed = np.zeros(len(roots), bool)
        fixed[roots[sorted(self._fixed)]] = True
        return Channels(
            fixed,
            {name: (axis, roots[ids]) for name, (axis, ids) in found.values.items()},
            {place: [(axis, roots[ids]) for axis, ids in cuts] for place, cuts in found.operands.items()},
            {name: roots[ids] for name, ids in found.makers.items()},
            {name: roots[ids] for name, ids in found.readers.items()},
            found.depthwise,
            {name: (axis, roots[before], roots[after]) for name, (axis, before, after) in found.pads.items()},
        )


def channels_of(graph: Graph) -> Channels:
    """The classes of all channels of ``graph``, an optimised one in which batch norms are folded."""
    from edgeopt.ops.channel_rules import RULES

    found = Classing()
    for node in graph.nodes:
        rule = RULES.get(node.op) if _is_sized(node) else None
        if rule is None or not rule(found, node):
            for value in [*node.inputs, *outer_values(node)]:
                if value is not None:
                    found.fix(value)
    for value in graph.outputs:
        found.fix(value)
    return found.result()


def _is_sized(node: Node) -> bool:
    """Whether ``node`` has one result, and all that it computes with has a static shape of at least one element."""
    values = [v for v in (*node.inputs, node.output) if v is not None]
    shapes = [shape_of(v) for v in values]
    return sum(bool(o.name) for o in node.outputs) == 1 and all(dims is not None and prod(dims) for dims in shapes)
