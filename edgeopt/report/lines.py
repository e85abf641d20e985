"""Curves over one axis as SVG, on linear or logarithmic scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from edgeopt.report.key import captioned, sign

COLOURS = ("#2b6cb0", "#c2512f", "#3f8f5b", "#8a5fb3", "#b58a1b", "#5d6d7c", "#c94f8c", "#1b8a8f")  # that of a curve by its place
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 900, 380, 84, 66, 20, 20
DASHES = ("", "9 4", "2 3", "12 3 2 3", "5 2", "3 6", "16 5", "1 3 8 3")  # told apart without colour, too


@dataclass(frozen=True)
class Curve:
    """``points`` (x, y) in the order of x; a single one is a dot."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """What an axis shows; ``logarithmic`` for numbers above 0 of several magnitudes."""

    label: str
    logarithmic: bool = False


class Scale:
    """From numbers to places between ``start`` and ``end``, with round numbers to mark; ``zero`` is among them."""

    def __init__(self, axis: Axis, values: Sequence[float], start: float, end: float, zero: bool = True) -> None:
        self._log, self._start, self._end = axis.logarithmic, start, end
        low, high = min(values), max(values)
        if self._log:
            low, high = log10(low), log10(high)
            self.marks = _decades(low, high)
            self._low, self._high = low - 0.02 * (high - low or 1), high + 0.02 * (high - low or 1)
        else:
            low = min(low, 0.0) if zero else low
            step = _round_step((high - low) / 8 or 1.0)
            self._low, self._high = step * floor(low / step), step * ceil(high / step + 1e-9)
            self.marks = [step * k for k in range(round(self._low / step), round(self._high / step) + 1)]

    def place(self, value: float) -> float:
        number = log10(value) if self._log else value
        return self._start + (self._end - self._start) * (number - self._low) / (self._high - self._low)


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten between logarithms; where there are few of them, twice and five times these, too."""
    factors = (1, 2, 5) if high - low < 3 else (1,)
    marks = [m * 10.0**k for k in range(floor(low), floor(high) + 1) for m in factors]
    return [mark for mark in marks if low - 1e-9 <= log10(mark) <= high + 1e-9]


def _round_step(size: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** floor(log10(size))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= size * (1 - 1e-9))


def lines(curves: Sequence[Curve], x: Axis, y: Axis) -> str:
    """The curves with axes and their names; those without points are left out."""
    shown = [curve for curve in curves if curve.points]
    if not shown:
        return ""
    across = Scale(x, [p[0] for c in shown for p in c.points], LEFT, WIDTH - RIGHT)
    along = Scale(y, [p[1] for c in shown for p in c.points], HEIGHT - BOTTOM, TOP)
    parts = frame(across, along, x, y)
    for number, curve in reversed(list(enumerate(shown))):  # the first, which is ours, lies over the others
        parts.append(_curve(number, curve, across, along))
    picture = f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'
    return captioned(picture, [(sign(_sample(number, curve)), curve.name) for number, curve in enumerate(shown)])


def frame(across: Scale, along: Scale, x: Axis, y: Axis) -> list[str]:
    """Lines at round numbers, and what the axes are called."""
    return [*_grid(across, along), *_labels(x, y)]


def _grid(across: Scale, along: Scale) -> list[str]:
    made = []
    for mark in across.marks:
        at = across.place(mark)
        made.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#8886" stroke-width="0.6"/>')
        made.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle">{_said(mark)}</text>')
    for mark in along.marks:
        at = along.place(mark)
        made.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#8886" stroke-width="0.6"/>')
        made.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_said(mark)}</text>')
    return made


def _said(mark: float) -> str:
    """A round number, short enough to stand beside an axis."""
    return f"{mark / 1000:g}k" if abs(mark) >= 10000 else f"{mark:g}"


def _labels(x: Axis, y: Axis) -> list[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="rotate(-90 14 {middle:.0f})"'
    return [
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x.label)}</text>',
        f'<text class="turned" x="14" y="{middle:.0f}" text-anchor="middle" {turned}>{escape(y.label)}</text>',
    ]


def _curve(number: int, curve: Curve, across: Scale, along: Scale) -> str:
    points = [(across.place(px), along.place(py)) for px, py in curve.points]
    if len(points) == 1:
        ((x, y),) = points
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{_colour(number)}"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" {_style(number)}/>'


def _sample(number: int, curve: Curve) -> str:
    """How the key shows a curve."""
    if len(curve.points) == 1:
        return f'<circle r="6" fill="{_colour(number)}"/>'
    return f'<path d="M-16 0H16" fill="none" {_style(number)}/>'


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _style(number: int) -> str:
    width, dash = 3.2 if number == 0 else 2, DASHES[number % len(DASHES)]
    return f'stroke="{_colour(number)}" stroke-width="{width}" stroke-dasharray="{dash}"'
