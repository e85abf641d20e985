"""Static memory plan: offsets for buffers whose lifetimes may overlap (greedy by size, best fit)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.lower.memory import padded

ATTEMPTS = 40
WORK = 20_000_000  # pairs of buffers: seconds, for programs of thousands of steps


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
    first, longer-lived first, and shuffles of the former until the lower bound is met, or ATTEMPTS or WORK are used up.
    """
    bound, best, work, offsets = lower_bound(buffers), -1, 0, [b.offset for b in buffers]
    for order in orders(buffers):
        size, work = _place(order), work + len(buffers) ** 2
        if best < 0 or size < best:
            best, offsets = size, [b.offset for b in buffers]
        if best <= bound or work > WORK:
            break
    for buffer, offset in zip(buffers, offsets, strict=True):
        buffer.offset = offset
    return max(best, 0)


def orders(buffers: list[Buffer]) -> Iterator[list[Buffer]]:
    """Orders in which buffers are placed one by one."""
    by_size = sorted(buffers, key=lambda b: (-b.size, b.first))
    yield by_size
    yield sorted(buffers, key=lambda b: (b.first - b.last, -b.size, b.first))
    yield sorted(buffers, key=lambda b: (-b.size * (b.last - b.first + 1), b.first))
    rng = random.Random(len(buffers))
    for _ in range(ATTEMPTS):
        yield sorted(buffers, key=lambda b: -b.size * rng.uniform(0.3, 1.0))


def _place(order: list[Buffer]) -> int:
    """Give every buffer an offset, in this order; returns the bytes of the arena.

    In vectors, since each buffer is held against all that are placed: programs have thousands.
    """
    firsts, lasts = (np.fromiter((getattr(b, end) for b in order), np.int64, len(order)) for end in ("first", "last"))
    sizes = np.fromiter((padded(b.size) for b in order), np.int64, len(order))
    starts = np.zeros(len(order), np.int64)
    for index, buffer in enumerate(order):
        near = np.flatnonzero((firsts[:index] <= buffer.last) & (lasts[:index] >= buffer.first))
        starts[index] = buffer.offset = _best_gap(int(sizes[index]), starts[near], sizes[near])
    return int(np.max(starts + sizes, initial=0))


def lower_bound(buffers: list[Buffer]) -> int:
    """The most bytes that are live at any step: no plan can need less."""
    changes = [(b.first, padded(b.size)) for b in buffers] + [(b.last + 1, -padded(b.size)) for b in buffers]
    live = peak = 0
    for _, change in sorted(changes):
        live += change
        peak = max(peak, live)
    return peak


def _best_gap(size: int, starts: Array, sizes: Array) -> int:
    """The offset of the smallest gap of at least ``size`` between neighbours, or behind them all."""
    order = np.argsort(starts, kind="stable")
    ends = np.maximum.accumulate(np.concatenate([[0], (starts + sizes)[order]]))
    gaps = starts[order] - ends[:-1]
    fits = np.flatnonzero(gaps >= size)
    return int(ends[fits[np.argmin(gaps[fits])]]) if len(fits) else int(ends[-1])
