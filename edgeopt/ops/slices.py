"""What a Slice with constant bounds takes of each axis, as Python ranges, which compose by slicing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.ir.match import integers, shape_of


def sliced_ranges(node: Node) -> list[range] | None:
    """The indices taken along each axis of input 0, or None when bounds or shape are unknown."""
    shape, starts, ends = shape_of(node.input(0)), integers(node, 1), integers(node, 2)
    if shape is None or starts is None or ends is None:
        return None
    if any(node.input(i) is not None and integers(node, i) is None for i in (3, 4)):
        return None
    axes = integers(node, 3) or tuple(range(len(starts)))
    steps = integers(node, 4) or (1,) * len(starts)
    ranges = [range(d) for d in shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        ranges[axis] = ranges[axis][_bounds(start, end, step, shape[axis])]
    return ranges


def slice_inputs(ranges: Sequence[range], shape: Sequence[int]) -> list[Array] | None:
    """The inputs starts, ends, axes, steps of the Slice that takes ``ranges``; None when one runs backwards."""
    cut = [(a, r) for a, r in enumerate(ranges) if r != range(shape[a])]
    if any(r.step < 0 for _, r in cut):
        return None
    columns = [[r.start for _, r in cut], [r.stop for _, r in cut], [a for a, _ in cut], [r.step for _, r in cut]]
    return [np.array(c, np.int64) for c in columns]


def _bounds(start: int, end: int, step: int, size: int) -> slice:
    """ONNX clamps an end before the first element to -1 when it runs backwards; Python writes that as None."""
    if step < 0 and end < -size:
        return slice(start, None, step)
    return slice(start, end, step)
