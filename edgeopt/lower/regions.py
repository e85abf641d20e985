"""Values that lie inside another one: what a Slice or Split takes in one piece."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from edgeopt.ir import Node, Value
from edgeopt.ir.match import shape_of
from edgeopt.ops.slices import sliced_ranges


@dataclass(frozen=True)
class Region:
    """``part`` is what ``source`` holds from ``start`` on along ``axis``; the axes before it have one element."""

    part: Value
    source: Value
    axis: int
    start: int

    @property
    def skipped(self) -> int:
        """Elements of the plain source before the part."""
        return self.start * prod((shape_of(self.source) or ())[self.axis + 1 :])

    def whole_blocks(self, block: int) -> bool:
        """Whether the part begins with a channel block of its source, and ends with one or with the channels."""
        channels = (shape_of(self.source) or ())[1:2]
        end = self.start + (shape_of(self.part) or (0, 0))[1]
        return self.axis == 1 and self.start % block == 0 and (end % block == 0 or channels == (end,))


def regions(node: Node) -> list[Region]:
    """Where the outputs of a Slice or Split lie in its input; none when they do not lie there in one piece."""
    source, shape = node.input(0), shape_of(node.input(0))
    if source is None or shape is None or any(o.name and shape_of(o) is None for o in node.outputs):
        return []
    if node.is_op("Split"):
        axis, starts = node.integer("axis", 0) % len(shape), [0]
        for output in node.outputs:
            starts.append(starts[-1] + (shape_of(output) or shape)[axis])
        made = [Region(o, source, axis, s) for o, s in zip(node.outputs, starts, strict=False) if o.name]
    else:
        made = _sliced(node, source, shape) if node.is_op("Slice") else []
    return made if made and all(d == 1 for d in shape[: made[0].axis]) else []


def _sliced(node: Node, source: Value, shape: tuple[int, ...]) -> list[Region]:
    ranges = sliced_ranges(node)
    cut = [a for a, r in enumerate(ranges) if r != range(shape[a])] if ranges is not None else []
    if ranges is None or len(cut) != 1 or ranges[cut[0]].step != 1:
        return []
    return [Region(node.output, source, cut[0], ranges[cut[0]].start)]


def within(value: Value) -> list[Value]:
    """``value`` and the parts of it that may be read as channels of it where it lies."""
    return [value, *(v for node in value.users for r in regions(node) if r.axis == 1 for v in within(r.part))]
