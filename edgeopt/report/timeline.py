"""What happens one after the other, a row for each way to do it, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from edgeopt.report.lines import COLOURS

WIDTH, LABEL, ROW, KEY = 900, 210, 30, 26
SCALE = WIDTH - LABEL - 100
SMALLEST = 0.4  # units of a picture that can still be seen

Part = tuple[str, float]  # what, seconds


def timeline(rows: Sequence[tuple[str, Sequence[Part]]]) -> str:
    """``rows`` of (name, parts in order); equal parts have the colour that the key names. Times are shown in milliseconds."""
    longest = max((sum(seconds for _, seconds in parts) for _, parts in rows), default=0.0) or 1.0
    kinds = list(dict.fromkeys(what for _, parts in rows for what, _ in parts))
    made = [_row(k, name, parts, longest, kinds) for k, (name, parts) in enumerate(rows)]
    height = ROW * len(rows) + KEY
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(made)}{_key(kinds, ROW * len(rows) + 16)}</svg>'


def _row(index: int, name: str, parts: Sequence[Part], longest: float, kinds: Sequence[str]) -> str:
    top, at, made = ROW * index + 4, float(LABEL), []
    made.append(f'<text x="{LABEL - 8}" y="{top + 16}" text-anchor="end">{escape(name)}</text>')
    for what, seconds in parts:
        width = SCALE * seconds / longest
        if width >= SMALLEST:
            colour, title = COLOURS[kinds.index(what) % len(COLOURS)], escape(f"{what}: {1e3 * seconds:,.3f} ms")
            box = f'x="{at:.2f}" y="{top}" width="{width:.2f}" height="{ROW - 8}" fill="{colour}"'
            made.append(f"<rect {box}><title>{title}</title></rect>")
        at += width
    total = 1e3 * sum(seconds for _, seconds in parts)
    made.append(f'<text x="{at + 6:.1f}" y="{top + 16}">{total:,.4g} ms</text>')
    return "".join(made)


def _key(kinds: Sequence[str], top: int) -> str:
    made, at = [], 8.0
    for number, kind in enumerate(kinds):
        made.append(f'<rect x="{at:.0f}" y="{top - 9}" width="10" height="10" fill="{COLOURS[number % len(COLOURS)]}"/>')
        made.append(f'<text x="{at + 14:.0f}" y="{top}">{escape(kind)}</text>')
        at += 30 + 7.0 * len(kind)
    return "".join(made)
