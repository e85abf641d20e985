"""Choosing a point of a front: conditions on figures, and what is to be best among the points that meet them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import escape
from math import log

from edgeopt.errors import EdgeoptError
from edgeopt.explore.point import FIGURES, Point
from edgeopt.memory_limit import parse_amount
from edgeopt.search.limits import UNITS, parse_energy, parse_time

COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
PREFER = {"speed": "latency", "size": "size", "energy": "energy", "memory": "memory", "accuracy": "accuracy"}
SHORTEST = 1e-12  # seconds, of what took none
PATTERN = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True)
class Condition:
    """A figure, how it is compared, and with what: "latency<=5ms"."""

    text: str
    figure: str
    sign: str
    value: float

    def met(self, point: Point) -> bool:
        """Whether a point meets it."""
        return COMPARED[self.sign](float(getattr(point, self.figure)), self.value)


def parse_condition(text: str) -> Condition:
    """``"latency<=5ms"``, ``"size<100k"``, ``"accuracy>=90"``. Raises EdgeoptError for anything else."""
    match = PATTERN.fullmatch(text)
    figure = {"ram": "memory"}.get(match[1], match[1]) if match else ""
    if match is None or figure not in FIGURES:
        known = ", ".join(FIGURES)
        raise EdgeoptError(f"'{text}' is no condition; give one of {known}, a comparison and a value, as in latency<=5ms")
    return Condition(text, figure, match[2], _value(figure, match[3]))


def _value(figure: str, text: str) -> float:
    if figure == "latency":
        return parse_time(text)
    if figure == "energy":
        return parse_energy(text)
    if figure != "accuracy":
        return float(parse_amount(text))
    try:
        share = float(text.removesuffix("%"))
    except ValueError as error:
        raise EdgeoptError(f"'{text}' is no percentage") from error
    if not 0 <= share <= 100:
        raise EdgeoptError(f"'{text}' is no percentage: it lies between 0 and 100")
    return share


def choose(points: Sequence[Point], conditions: Sequence[Condition], prefer: str = "accuracy") -> Point:
    """The point that is best in what is preferred among those that meet all conditions; among equal ones the fastest.

    Raises EdgeoptError, with the condition that is hardest to meet, where none does.
    """
    left = [point for point in points if all(condition.met(point) for condition in conditions)]
    if left:
        sign = -1.0 if prefer == "accuracy" else 1.0
        return min(left, key=lambda p: (sign * float(getattr(p, PREFER[prefer])), p.latency))
    hardest = min(conditions, key=lambda c: sum(c.met(p) for p in points))
    values = [float(getattr(p, hardest.figure)) for p in points]
    best = max(values) if hardest.sign.startswith(">") else min(values)
    count = sum(hardest.met(p) for p in points)
    few = f"only {count} point{'s meet' if count > 1 else ' meets'} it"
    near = few if count else f"the nearest of all points has {shown(hardest.figure, best)}"
    raise EdgeoptError(f"no point meets {' and '.join(c.text for c in conditions)}: of '{hardest.text}', {near}")


def spread(points: Sequence[Point], conditions: Sequence[Condition], count: int) -> list[Point]:
    """At most ``count`` points that meet all conditions and that no other one beats in accuracy and time, the fastest first:

    both ends, and between them those whose times are closest to equal ratios. Raises EdgeoptError where none meets them.
    """
    choose(points, conditions)
    able = [point for point in points if all(condition.met(point) for condition in conditions)]
    rising: list[Point] = []
    for point in sorted(able, key=lambda p: (p.latency, -p.accuracy)):
        if not rising or point.accuracy > rising[-1].accuracy:
            rising.append(point)
    times = [log(max(point.latency, SHORTEST)) for point in rising]
    first, last = times[0], times[-1]
    wanted = [last] if count == 1 else [first + (last - first) * k / (count - 1) for k in range(count)]
    kept = {min(range(len(rising)), key=lambda k: abs(times[k] - time)) for time in wanted}
    return [rising[k] for k in sorted(kept)]


def shown(figure: str, value: float) -> str:
    """A figure in words."""
    if figure == "accuracy":
        return f"{value:.2f} %"
    factor, unit, _ = UNITS[figure]  # type: ignore[index]
    return f"{factor * value:.4g} {unit}"


def recipe_text(point: Point, about: str) -> str:
    """A recipe that gives each layer the forms of the point, for ``edgeopt compress --recipe FILE.toml --max-drop 100``."""
    layers: dict[tuple[str, str], list[str]] = {}
    for layer, forms in point.forms.items():
        for technique, key in forms.items():
            layers.setdefault((technique, key), []).append(escape(layer.split("~")[0]))
    steps = [_step(technique, key, names) for (technique, key), names in layers.items()]
    return "\n\n".join([f"about = {_quoted(about)}", *steps]) + "\n"


def _step(technique: str, key: str, names: Sequence[str]) -> str:
    listed = ", ".join(map(_quoted, names))
    return f"[[step]]\ntechnique = {_quoted(technique)}\nforms = [{_quoted(key)}]\nlayers = [{listed}]"


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in plain) + '"'
