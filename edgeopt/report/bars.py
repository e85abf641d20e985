"""Horizontal bars of two values a row, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LABEL, ROW, BAR = 400, 16, 50, 14  # LABEL: the height of the line with the name, above the bars
SCALE = WIDTH - 90
LONGEST = 56


def bars(rows: Sequence[tuple[str, float, float]], unit: str = "µs") -> str:
    """One row for each (label, before, after); a value of 0 draws nothing. ``after`` is marked where it exceeds ``before``."""
    most = max((max(before, after) for _, before, after in rows), default=0.0) or 1.0
    parts = [_row(i, label, before, after, most, unit) for i, (label, before, after) in enumerate(rows)]
    return f'<svg viewBox="0 0 {WIDTH} {ROW * len(rows) + 6}" role="img" style="max-width:36rem">{"".join(parts)}</svg>'


def _row(index: int, label: str, before: float, after: float, most: float, unit: str) -> str:
    top, worse = ROW * index + 4, before and after > before
    short = label if len(label) <= LONGEST else f"…{label[1 - LONGEST :]}"
    text = f'<text x="0" y="{top + 11}">{escape(short)}<title>{escape(label)}</title></text>'
    first = _bar(top + LABEL, before, most, "before", unit)
    return text + first + _bar(top + LABEL + (BAR if before else 0), after, most, "bad" if worse else "after", unit)


def _bar(top: int, value: float, most: float, kind: str, unit: str) -> str:
    if not value:
        return ""
    width = max(1.0, SCALE * value / most)
    bar = f'<rect class="{kind}" x="0" y="{top}" width="{width:.1f}" height="{BAR - 1}"/>'
    return f'{bar}<text x="{width + 6:.1f}" y="{top + BAR - 3}">{value:,.3g} {unit}</text>'
