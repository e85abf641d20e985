"""Offsets for buffers of which some may lie over others: a result over the input that its kernel reads before it writes there.

A pair may share memory where the result begins early enough, by its lag; any two others that live at once may not. Buffers are
placed one by one, each at the feasible place with least room behind it, along time and in the orders of ``edgeopt.lower.plan``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgeopt.lower.memory import padded
from edgeopt.lower.overlap import Overlap
from edgeopt.lower.plan import Buffer, orders

MOST = 400  # buffers, beyond which this takes seconds
Lags = Mapping[tuple[Buffer, Buffer], int]  # (result, input) -> bytes by which the result begins first


def packed(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> tuple[int, list[int]]:
    """The bytes of the arena, and the offset of each buffer."""
    lags = {(o.made, o.read): padded(o.lag) for o in overlaps if o.read.last == o.step == o.made.first}
    best: tuple[int, list[int]] = (sum(padded(b.size) for b in buffers), _one_after_another(buffers))
    for order in [*_along_time(buffers), *orders(list(buffers))] if len(buffers) <= MOST else []:
        offsets = _placed(order, lags)
        size = max((offsets[b] + padded(b.size) for b in buffers), default=0)
        if size < best[0]:
            best = size, [offsets[b] for b in buffers]
    return best


def _along_time(buffers: Sequence[Buffer]) -> Iterator[list[Buffer]]:
    """From the largest buffer on to those before and behind it, and from the last to the first: chains lie over one another."""
    peak = max(buffers, key=lambda b: b.size, default=None)
    if peak is not None:
        yield sorted(buffers, key=lambda b: (max(peak.first - b.last, b.first - peak.last), -b.size))
    yield sorted(buffers, key=lambda b: (-b.last, -b.first, -b.size))


def _placed(order: Sequence[Buffer], lags: Lags) -> dict[Buffer, int]:
    offsets: dict[Buffer, int] = {}
    for buffer in order:
        near = [other for other in offsets if other.first <= buffer.last and buffer.first <= other.last]
        offsets[buffer] = _start([_closed(buffer, other, offsets[other], lags) for other in near])
    return offsets


def _closed(buffer: Buffer, other: Buffer, at: int, lags: Lags) -> tuple[int, int]:
    """The open interval of starts that ``buffer`` may not have because of ``other``, which lies at ``at``."""
    low, high = at - padded(buffer.size), at + padded(other.size)
    if (buffer, other) in lags:
        low = max(low, at - lags[buffer, other])
    if (other, buffer) in lags:
        high = min(high, at + lags[other, buffer])
    return low, high


def _start(closed: Sequence[tuple[int, int]]) -> int:
    """The first of the starts between two closed intervals that are nearest to each other, or behind them all."""
    at, found = 0, []
    for low, high in sorted(closed):
        if low >= at:
            found.append((low - at, at))
        at = max(at, high)
    return min(found)[1] if found else at


def _one_after_another(buffers: Sequence[Buffer]) -> list[int]:
    offsets, at = [], 0
    for buffer in buffers:
        offsets.append(at)
        at += padded(buffer.size)
    return offsets
