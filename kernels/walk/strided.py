"""Loops over tensors of any rank: adjacent dimensions are merged, then at most six are left.

A ``Grid`` is walked as chunks (the four outer dimensions, one number) of two inner loops. ``locate`` gives the offset of a
chunk in an operand, so a kernel body is two loops and never mentions the rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from numba.extending import intrinsic

from edgeopt.kernels.call import Declined
from edgeopt.kernels.emit.intrinsics import inline

RANK = 6
_CHUNK = 4096
Shape = Sequence[int]


@dataclass(frozen=True)
class Grid:
    """Extents (six, outermost first) and, per operand, six element strides."""

    extents: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]

    @property
    def chunks(self) -> int:
        """Product of the four outer extents."""
        return prod(self.extents[:4])

    @property
    def constants(self) -> tuple[int, ...]:
        """What a kernel takes: extents 1 to 5, then six strides per operand."""
        return self.extents[1:] + tuple(s for strides in self.strides for s in strides)


def row_major(shape: Shape) -> tuple[int, ...]:
    """Element strides of a plain tensor."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def broadcast(shape: Shape, to: Shape) -> tuple[int, ...]:
    """Element strides that read a plain tensor of ``shape`` as if it had the shape ``to``. Raises Declined if they differ."""
    padded = (1,) * (len(to) - len(shape)) + tuple(shape)
    if len(padded) != len(to) or any(a not in (1, b) for a, b in zip(padded, to, strict=True)):
        raise Declined(f"shape {tuple(shape)} does not broadcast to {tuple(to)}")
    return tuple(0 if a == 1 else s for a, s in zip(padded, row_major(padded), strict=True))


def merge(shape: Shape, *strides: Shape) -> tuple[list[int], list[list[int]]]:
    """Drop dimensions of extent 1 and merge neighbours that every operand walks as one; at least one dimension is left."""
    extents: list[int] = []
    merged: list[list[int]] = [[] for _ in strides]
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        steps = [s[axis] for s in strides]
        if extents and all(m[-1] == step * extent for m, step in zip(merged, steps, strict=True)):
            extents[-1] *= extent
            for m, step in zip(merged, steps, strict=True):
                m[-1] = step
        else:
            extents.append(extent)
            for m, step in zip(merged, steps, strict=True):
                m.append(step)
    return (extents, merged) if extents else ([1], [[1] for _ in strides])


def grid(shape: Shape, *strides: Shape) -> Grid:
    """The Grid over ``shape``. Raises Declined when more than six dimensions remain."""
    extents, merged = merge(shape, *strides)
    if len(extents) == 1:
        split = _split(extents[0])
        merged = [[m[0] * (extents[0] // split), m[0]] for m in merged]
        extents = [split, extents[0] // split]
    if len(extents) == 2:
        extents.insert(1, 1)
        for m in merged:
            m.insert(1, 0)
    missing = RANK - len(extents)
    if missing < 0:
        raise Declined(f"{len(extents)} independent dimensions, at most {RANK} are supported")
    return Grid((1,) * missing + tuple(extents), tuple((0,) * missing + tuple(m) for m in merged))


def outer(shape: Shape, *strides: Shape) -> tuple[list[int], list[list[int]]]:
    """``shape`` merged to exactly four dimensions, and the strides of every operand, for ``locate``. Raises Declined."""
    extents, merged = merge(shape, *strides)
    missing = 4 - len(extents)
    if missing < 0:
        raise Declined(f"{len(extents)} independent outer dimensions, at most 4 are supported")
    return [1] * missing + extents, [[0] * missing + m for m in merged]


def _split(extent: int) -> int:
    """The number of equal chunks a flat loop is cut into: the smallest divisor that leaves no more than 4096 elements."""
    for chunks in range(-(-extent // _CHUNK), max(extent // 64, 1)):
        if chunks > 0 and extent % chunks == 0:
            return chunks
    return 1


def _unsigned(name: str) -> Any:
    @intrinsic
    def call(context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, name)(*arguments)

        return a(a, a), generate

    call.__doc__ = f"``{name}`` of two non-negative integers."
    return call


quotient = _unsigned("udiv")
remainder = _unsigned("urem")


@inline
def locate(chunk: Any, d1: Any, d2: Any, d3: Any, s0: Any, s1: Any, s2: Any, s3: Any) -> Any:
    """Element offset of a chunk of a Grid in the operand with strides s0..s3."""
    outer = quotient(chunk, d3)
    further = quotient(outer, d2)
    place = remainder(chunk, d3) * s3 + remainder(outer, d2) * s2
    return place + remainder(further, d1) * s1 + quotient(further, d1) * s0
