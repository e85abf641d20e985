"""Horizontal bars of two values a row, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LABEL, ROW, BAR = 900, 280, 36, 14
SCALE = WIDTH - LABEL - 120
LONGEST = 38


def bars(rows: Sequence[tuple[str, float, float]], unit: str = "µs") -> str:
    """One row for each (label, before, after); a value of 0 draws nothing. ``after`` is marked where it exceeds ``before``."""
    most = max((max(before, after) for _, before, after in rows), default=0.0) or 1.0
    parts = [_row(i, label, before, after, most, unit) for i, (label, before, after) in enumerate(rows)]
    return f'<svg viewBox="0 0 {WIDTH} {ROW * len(rows) + 6}" role="img">{"".join(parts)}</svg>'


def _row(index: int, label: str, before: float, after: float, most: float, unit: str) -> str:
    top, worse = ROW * index + 4, before and after > before
    short = label if len(label) <= LONGEST else f"…{label[1 - LONGEST :]}"
    text = f'<text x="{LABEL - 8}" y="{top + 18}" text-anchor="end">{escape(short)}<title>{escape(label)}</title></text>'
    first = _bar(top, before, most, "before", unit)
    return text + first + _bar(top + BAR if before else top + BAR // 2, after, most, "bad" if worse else "after", unit)


def _bar(top: int, value: float, most: float, kind: str, unit: str) -> str:
    if not value:
        return ""
    width = max(1.0, SCALE * value / most)
    bar = f'<rect class="{kind}" x="{LABEL}" y="{top}" width="{width:.1f}" height="{BAR - 1}"/>'
    return f'{bar}<text x="{LABEL + width + 6:.1f}" y="{top + BAR - 3}">{value:,.3g} {unit}</text>'
