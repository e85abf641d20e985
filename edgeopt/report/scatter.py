"""Points in a plane with the line of those that no other point beats, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from edgeopt.report.lines import BOTTOM, COLOURS, HEIGHT, LEFT, TOP, WIDTH, Axis, Scale, frame

MARGIN = 20  # at the right


@dataclass(frozen=True)
class Dot:
    """A point with its title; ``kind`` is 0 for those of the front, others have marks of their own, named in the key."""

    x: float
    y: float
    title: str
    kind: int = 0


def scatter(dots: Sequence[Dot], x: Axis, y: Axis, kinds: Sequence[str]) -> str:
    """The dots, those of kind 0 joined by steps from the least ``x`` on wherever ``y`` grows; "" without any.

    Marks differ in shape, so that they can be told apart without colour.
    """
    if not dots:
        return ""
    across = Scale(x, [d.x for d in dots], LEFT, WIDTH - MARGIN)
    along = Scale(y, [d.y for d in dots], HEIGHT - BOTTOM, TOP, zero=False)
    parts = [*frame(across, along, x, y, MARGIN), _steps(dots, across, along)]
    parts += [_mark(across.place(d.x), along.place(d.y), d.kind, d.title) for d in dots]
    key = [_key(number, name) for number, name in enumerate(kinds)]
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT + 24}" role="img">{"".join([*parts, *key])}</svg>'


def _steps(dots: Sequence[Dot], across: Scale, along: Scale) -> str:
    path, best = "", float("-inf")
    for dot in sorted((d for d in dots if d.kind == 0), key=lambda d: (d.x, -d.y)):
        if dot.y > best:
            at = f"{across.place(dot.x):.1f}"
            path += f"H{at}V{along.place(dot.y):.1f}" if path else f"M{at} {along.place(dot.y):.1f}"
            best = dot.y
    return f'<path d="{path}" fill="none" stroke="{COLOURS[0]}" stroke-width="1.4" stroke-dasharray="5 3"/>' if path else ""


def _mark(x: float, y: float, kind: int, title: str) -> str:
    colour, label = COLOURS[kind % len(COLOURS)], f"<title>{escape(title)}</title>"
    if kind == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}">{label}</circle>'
    corners = {1: "-6 5 6 5 0 -6", 2: "-5 -5 5 -5 5 5 -5 5"}.get(kind, "0 -7 6 0 0 7 -6 0")
    numbers = [float(c) for c in corners.split()]
    points = " ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in zip(numbers[::2], numbers[1::2], strict=True))
    return f'<polygon points="{points}" fill="{colour}">{label}</polygon>'


def _key(number: int, name: str) -> str:
    at = LEFT + 210 * number
    return _mark(at + 6, HEIGHT + 12, number, name) + f'<text x="{at + 18}" y="{HEIGHT + 18}">{escape(name)}</text>'
