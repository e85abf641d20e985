"""Static memory plan: offsets for buffers whose lifetimes may overlap (greedy by size, best fit)."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.lower.program import ALIGNMENT


@dataclass(eq=False)
class Buffer:
    """``size`` bytes that are live from step ``first`` to step ``last``; ``offset`` is set by ``plan``."""

    size: int
    first: int
    last: int
    offset: int = -1


def plan(buffers: list[Buffer]) -> int:
    """Give every buffer an aligned offset so that no two live ones overlap; returns the bytes of the arena.

    Larger buffers are placed first, each into the smallest gap that holds it (Pisarchyk and Lee 2020, greedy by size).
    """
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.first)):
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
