"""Static memory plan: offsets for buffers whose lifetimes may overlap (greedy by size, best fit)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from edgeopt.lower.memory import ALIGNMENT

ATTEMPTS = 40


@dataclass(eq=False)
class Buffer:
    """``size`` bytes that are live from step ``first`` to step ``last``; ``offset`` is set by ``plan``."""

    size: int
    first: int
    last: int
    offset: int = -1


def plan(buffers: list[Buffer]) -> int:
    """Give every buffer an aligned offset so that no two live ones overlap; returns the bytes of the arena.

    Buffers are placed one by one, each into the smallest gap that holds it (Pisarchyk and Lee 2020), in several orders: larger
    first, longer-lived first, and shuffles of the former until the lower bound is met or ATTEMPTS are used up.
    """
    bound, best, offsets = lower_bound(buffers), -1, [b.offset for b in buffers]
    for order in _orders(buffers):
        size = _place(order)
        if best < 0 or size < best:
            best, offsets = size, [b.offset for b in buffers]
        if best <= bound:
            break
    for buffer, offset in zip(buffers, offsets, strict=True):
        buffer.offset = offset
    return max(best, 0)


def _orders(buffers: list[Buffer]) -> Iterator[list[Buffer]]:
    by_size = sorted(buffers, key=lambda b: (-b.size, b.first))
    yield by_size
    yield sorted(buffers, key=lambda b: (b.first - b.last, -b.size, b.first))
    yield sorted(buffers, key=lambda b: (-b.size * (b.last - b.first + 1), b.first))
    rng = random.Random(len(buffers))
    for _ in range(ATTEMPTS):
        yield sorted(buffers, key=lambda b: -b.size * rng.uniform(0.3, 1.0))


def _place(order: list[Buffer]) -> int:
    placed: list[Buffer] = []
    for buffer in order:
        buffer.offset = _best_gap(buffer, [b for b in placed if b.first <= buffer.last and buffer.first <= b.last])
        placed.append(buffer)
    return max((b.offset + _aligned(b.size) for b in placed), default=0)


def lower_bound(buffers: list[Buffer]) -> int:
    """The most bytes that are live at any step: no plan can need less."""
    changes = [(b.first, _aligned(b.size)) for b in buffers] + [(b.last + 1, -_aligned(b.size)) for b in buffers]
    live = peak = 0
    for _, change in sorted(changes):
        live += change
        peak = max(peak, live)
    return peak


def _best_gap(buffer: Buffer, neighbours: list[Buffer]) -> int:
    best, best_gap, end = -1, 0, 0
    for other in sorted(neighbours, key=lambda b: b.offset):
        gap = other.offset - end
        if gap >= _aligned(buffer.size) and (best < 0 or gap < best_gap):
            best, best_gap = end, gap
        end = max(end, other.offset + _aligned(other.size))
    return best if best >= 0 else end


def _aligned(size: int) -> int:
    return size + -size % ALIGNMENT
