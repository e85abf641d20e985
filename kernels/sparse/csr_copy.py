"""The planes of a tile and a band of channels, copied side by side: what is read at random places then fits the first cache.

Rows are copied by vectors, in the order of memory: what a vector writes behind its row is written again with the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.sparse.csr_planes import Planes
from edgeopt.target import Target

Copy = Callable[..., None]


def copier(target: Target, made: Planes) -> Copy:
    """The function ``(x, t, first, count)`` that copies ``count`` channels, which begin at x, into planes at t.

    ``first`` is the first row of output positions of the tile, in a flat map the first position.
    """
    if made.map.flat:
        return _flat(target, made)
    return _rows(target, made) if made.map.phases == 1 else _phases(made)


def _flat(target: Target, made: Planes) -> Copy:
    line, width, plane = _line(target, 0, made.columns, made.plane), made.map.source[1], made.plane

    @inline
    def copy(x: Any, t: Any, first: Any, count: Any) -> None:
        for channel in range(count):
            line(offset(x, channel * width + first), offset(t, channel * plane))

    return copy


def _rows(target: Target, made: Planes) -> Copy:
    """Of a window that moves by one position."""
    (height, width), pitch, plane, lines = made.map.source, made.map.pitch, made.plane, made.rows + made.map.reach[0]
    top, left = made.map.window.pads[:2]
    line = _line(target, left, min(width, pitch - left), pitch)
    empty, rest = _line(target, 0, 0, pitch), _line(target, 0, 0, plane - lines * pitch)

    @inline
    def copy(x: Any, t: Any, first: Any, count: Any) -> None:
        for channel in range(count):
            for row in range(lines):
                source, here = first + row - top, offset(t, channel * plane + row * pitch)
                if 0 <= source < height:
                    line(offset(x, (channel * height + source) * width), here)
                else:
                    empty(x, here)
            rest(x, offset(t, channel * plane + lines * pitch))

    return copy


def _line(target: Target, before: int, count: int, total: int) -> Any:
    """The function ``(x, t)`` that writes ``before`` zeros, ``count`` elements of x and, until there are ``total``, zeros."""

    def emit(e: Emitter, x: Value, t: Value) -> None:
        for k in range(0, total, e.lanes):
            first, last = (min(max(end - k, 0), e.lanes) for end in (before, before + count))
            e.store(e.load_lanes(e.at(x, k - before), first, last) if last > first else e.constant(0.0), t, k)

    return vector_function(target, 2, emit)


def _phases(made: Planes) -> Copy:
    """Of a window that moves by more: every so many elements of a row."""
    (down, right), (top, left) = made.map.window.strides, made.map.window.pads[:2]
    (height, width), pitch, plane = made.map.source, made.map.pitch, made.plane
    phases, channels, lines = made.map.phases, made.channels, made.rows + made.map.reach[0]

    @inline
    def copy(x: Any, t: Any, first: Any, count: Any) -> None:
        for number in range(phases * count):
            phase, channel = number // count, number % count
            ahead = phase % right - left
            start, stop = -(ahead // right) if ahead < 0 else 0, (width - 1 - ahead) // right + 1
            stop = stop if stop < pitch else pitch
            place = (phase * channels + channel) * plane
            for row in range(lines):
                line, here = (first + row) * down + phase // right - top, place + row * pitch
                inside = 0 <= line < height
                head, tail = (start, stop) if inside else (pitch, pitch)
                for i in range(head):
                    t[here + i] = 0.0
                for i in range(head, tail):
                    t[here + i] = x[(channel * height + line) * width + i * right + ahead]
                for i in range(tail, pitch):
                    t[here + i] = 0.0
            for i in range(place + lines * pitch, place + plane):
                t[i] = 0.0

    return copy
