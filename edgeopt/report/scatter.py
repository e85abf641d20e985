"""Points in a plane with the line of those that no other point beats, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from edgeopt.report.key import captioned, sign
from edgeopt.report.lines import BOTTOM, COLOURS, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Scale, frame

CLOSE = 16.0  # units of the drawing, within which labels of two marks would overlap


@dataclass(frozen=True)
class Dot:
    """A point with its title; ``kind`` is 0 for those of the front, others have marks of their own, named in the key.

    A ``label`` stands beside the mark.
    """

    x: float
    y: float
    title: str
    kind: int = 0
    label: str = ""


def scatter(dots: Sequence[Dot], x: Axis, y: Axis, kinds: Sequence[str]) -> str:
    """The dots, those of kind 0 joined by steps from the least ``x`` on wherever ``y`` grows; "" without any.

    Marks differ in shape, so that they can be told apart without colour.
    """
    if not dots:
        return ""
    across = Scale(x, [d.x for d in dots], LEFT, WIDTH - RIGHT)
    along = Scale(y, [d.y for d in dots], HEIGHT - BOTTOM, TOP, zero=False)
    parts = [*frame(across, along, x, y), _steps(dots, across, along)]
    parts += [_mark(across.place(d.x), along.place(d.y), d.kind, d.title) for d in dots]
    parts += [_label(*place, ", ".join(labels)) for place, labels in _named(dots, across, along).items()]
    picture = f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'
    return captioned(picture, [(sign(_mark(0, 0, kind, name)), name) for kind, name in enumerate(kinds)])


def _steps(dots: Sequence[Dot], across: Scale, along: Scale) -> str:
    path, best = "", float("-inf")
    for dot in sorted((d for d in dots if d.kind == 0), key=lambda d: (d.x, -d.y)):
        if dot.y > best:
            at = f"{across.place(dot.x):.1f}"
            path += f"H{at}V{along.place(dot.y):.1f}" if path else f"M{at} {along.place(dot.y):.1f}"
            best = dot.y
    return f'<path d="{path}" fill="none" stroke="{COLOURS[0]}" stroke-width="1.8" stroke-dasharray="5 3"/>' if path else ""


def _mark(x: float, y: float, kind: int, title: str) -> str:
    colour, label = COLOURS[kind % len(COLOURS)], f"<title>{escape(title)}</title>"
    if kind == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}">{label}</circle>'
    corners = {1: "-8 7 8 7 0 -8", 2: "-6 -6 6 -6 6 6 -6 6"}.get(kind, "0 -9 8 0 0 9 -8 0")
    numbers = [float(c) for c in corners.split()]
    points = " ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in zip(numbers[::2], numbers[1::2], strict=True))
    return f'<polygon points="{points}" fill="{colour}">{label}</polygon>'


def _named(dots: Sequence[Dot], across: Scale, along: Scale) -> dict[tuple[float, float], list[str]]:
    """The labels by the place of the mark that they stand beside: one of several marks that lie close together."""
    found: dict[tuple[float, float], list[str]] = {}
    for dot in dots:
        if dot.label:
            x, y = across.place(dot.x), along.place(dot.y)
            near = next((place for place in found if abs(place[0] - x) < CLOSE and abs(place[1] - y) < CLOSE), (x, y))
            found.setdefault(near, []).append(dot.label)
    return found


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x + 8:.1f}" y="{y - 6:.1f}">{escape(text)}</text>'
