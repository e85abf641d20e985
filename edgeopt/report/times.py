"""Times of layers as tables show them. What is too short to be measured is never a figure, nor part of a ratio."""

from __future__ import annotations

SHORTEST = 1e-7  # seconds; steps are timed as differences of runs, which repeat no better than this


def measurable(*seconds: float | None) -> bool:
    """Whether all of these times are long enough to be compared."""
    return all(time is not None and time >= SHORTEST for time in seconds)


def microseconds(seconds: float | None) -> str:
    """Two digits after the point below 10 µs, where a layer may take less than one."""
    if seconds is None:
        return "-"
    return f"{1e6 * seconds:,.{2 if seconds < 1e-5 else 1}f}" if measurable(seconds) else f"<{1e6 * SHORTEST:.1f}"


def faster(before: float | None, after: float | None) -> str:
    """How many times as fast."""
    return f"{before / after:.2f}x" if before and after and measurable(before, after) else "-"
