"""What happens one after the other, a row for each way to do it, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from edgeopt.report.key import captioned
from edgeopt.report.lines import COLOURS

WIDTH, LABEL, ROW = 900, 210, 34
SCALE = WIDTH - LABEL - 140
THINNEST, LEGIBLE = 1.0, 24  # units of a part that can still be seen, and of one with room for its number

Part = tuple[str, float]  # what, seconds


def timeline(rows: Sequence[tuple[str, Sequence[Part]]]) -> str:
    """``rows`` of (name, parts in order); equal parts have the colour and number that the key names. Times are in ms."""
    longest = max((sum(seconds for _, seconds in parts) for _, parts in rows), default=0.0) or 1.0
    kinds = list(dict.fromkeys(what for _, parts in rows for what, seconds in parts if seconds > 0))
    made = [_row(k, name, parts, longest, kinds) for k, (name, parts) in enumerate(rows)]
    picture = f'<svg class="plot" viewBox="0 0 {WIDTH} {ROW * len(rows)}" role="img">{"".join(made)}</svg>'
    return captioned(picture, [(f'<i style="background:{_colour(k)}">{k + 1}</i>', kind) for k, kind in enumerate(kinds)])


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _row(index: int, name: str, parts: Sequence[Part], longest: float, kinds: Sequence[str]) -> str:
    top, at = ROW * index + 4, float(LABEL)
    made = [f'<text x="{LABEL - 8}" y="{top + 19}" text-anchor="end">{escape(name)}</text>']
    for what, seconds in parts:
        if seconds > 0:
            width = max(THINNEST, SCALE * seconds / longest)
            made.append(_part(kinds.index(what), f"{what}: {1e3 * seconds:,.3f} ms", at, top, width))
            at += width
    total = 1e3 * sum(seconds for _, seconds in parts)
    made.append(f'<text x="{at + 6:.1f}" y="{top + 19}">{total:,.4g} ms</text>')
    return "".join(made)


def _part(number: int, title: str, left: float, top: int, width: float) -> str:
    box = f'x="{left:.2f}" y="{top}" width="{width:.2f}" height="{ROW - 8}" fill="{_colour(number)}"'
    said = f'<text class="inside" x="{left + width / 2:.1f}" y="{top + 19}" text-anchor="middle">{number + 1}</text>'
    return f"<rect {box}><title>{escape(title)}</title></rect>" + (said if width >= LEGIBLE else "")
