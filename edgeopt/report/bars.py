"""Horizontal bars of two values a row, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, LABEL, GAP, BAR = 400, 16, 6, 14  # LABEL: the height of the line with the name, above the bars
SCALE = WIDTH - 90
LONGEST = 56


def bars(rows: Sequence[tuple[str, float, float]], unit: str = "µs", nothing: str = "") -> str:
    """One row for each (label, before, after); a value of 0 draws no bar. ``after`` is marked where it exceeds ``before``.

    Where there is no bar of ``after``, it says ``nothing``.
    """
    most = max((max(before, after) for _, before, after in rows), default=0.0) or 1.0
    parts, top = [], 4
    for label, before, after in rows:
        parts.append(_row(top, label, before, after, most, unit) + ("" if after else _said_below(top, before, nothing)))
        top += LABEL + BAR * max(1, (before > 0) + (after > 0 or nothing != "")) + GAP
    return f'<svg viewBox="0 0 {WIDTH} {top + 2}" role="img" style="max-width:36rem">{"".join(parts)}</svg>'


def _row(top: int, label: str, before: float, after: float, most: float, unit: str) -> str:
    worse = before and after > before
    first = _bar(top + LABEL, before, most, "before", unit)
    second = _bar(top + LABEL + (BAR if before else 0), after, most, "bad" if worse else "after", unit)
    return _label(top, label) + first + second


def _label(top: int, label: str) -> str:
    short = label if len(label) <= LONGEST else f"…{label[1 - LONGEST :]}"
    return f'<text x="0" y="{top + 11}">{escape(short)}<title>{escape(label)}</title></text>'


def _said_below(top: int, before: float, nothing: str) -> str:
    """What there is to say in the place of the second bar."""
    return f'<text class="soft" x="0" y="{top + LABEL + (BAR if before else 0) + BAR - 3}">{escape(nothing)}</text>'


def _bar(top: int, value: float, most: float, kind: str, unit: str) -> str:
    if not value:
        return ""
    width = max(1.0, SCALE * value / most)
    bar = f'<rect class="{kind}" x="0" y="{top}" width="{width:.1f}" height="{BAR - 1}"/>'
    return f'{bar}<text x="{width + 6:.1f}" y="{top + BAR - 3}">{_said(value)} {unit}</text>'


def _said(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
