"""Results that lie over an input of their step, where its kernel reads what it needs before it writes there.

A kernel says by how many bytes its result has to begin before the input. Both then are one buffer, in which they lie at different
places; chains of such steps become one buffer. That is done where the bytes that live at once do not grow by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeopt.lower.memory import padded
from edgeopt.lower.plan import Buffer, lower_bound


@dataclass(frozen=True, eq=False)
class Overlap:
    """At ``step`` the buffer ``made`` may begin ``lag`` bytes before ``read``."""

    step: int
    read: Buffer
    made: Buffer
    lag: int


@dataclass(eq=False)
class _Piece:
    """Buffers that share memory, each at its shift."""

    whole: Buffer
    shifts: dict[Buffer, int]


def shared(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> list[tuple[Buffer, dict[Buffer, int]]]:
    """What is to be planned in place of ``buffers``: buffers of which each holds some of them, at these shifts."""
    pieces = {b: _Piece(Buffer(b.size, b.first, b.last), {b: 0}) for b in buffers}
    for overlap in sorted(overlaps, key=lambda o: o.lag):  # what costs nothing first: it lowers the bar for the others
        before, after = pieces[overlap.read], pieces[overlap.made]
        if before is after or not _serves(overlap, before, after):
            continue
        joined = _joined(overlap, before, after)
        others = [p.whole for p in dict.fromkeys(pieces.values()) if p is not before and p is not after]
        if lower_bound([*others, joined.whole]) <= lower_bound([*others, before.whole, after.whole]):
            pieces |= dict.fromkeys(joined.shifts, joined)
    return [(p.whole, p.shifts) for p in dict.fromkeys(pieces.values())]


def _serves(overlap: Overlap, before: _Piece, after: _Piece) -> bool:
    """Whether the input is read for the last time where the result is written first, and nothing else of theirs lives then."""
    return before.whole.last == overlap.read.last == overlap.step == overlap.made.first == after.whole.first


def _joined(overlap: Overlap, before: _Piece, after: _Piece) -> _Piece:
    """``before`` is moved up by the lag, or ``after`` by what is more than that already."""
    lag = padded(overlap.lag)
    up = after.shifts[overlap.made] + lag - before.shifts[overlap.read]
    below, above = max(up, 0), max(-up, 0)
    shifts = {b: s + below for b, s in before.shifts.items()} | {b: s + above for b, s in after.shifts.items()}
    size = max(shift + buffer.size for buffer, shift in shifts.items())
    return _Piece(Buffer(size, before.whole.first, after.whole.last), shifts)
