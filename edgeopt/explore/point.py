"""Points of a front: what a network in some forms loses and takes, and which points no other one is better than in everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

SMALL = ("latency", "size", "energy", "memory")  # what is to be small: seconds, stored bytes, joule, bytes of RAM
FIGURES = ("accuracy", *SMALL)


@dataclass(frozen=True)
class Point:
    """``accuracy`` is in percent on the samples that chose; ``forms`` are those of the layers that changed: technique -> key.

    ``unseen`` is the accuracy on samples that chose nothing; ``measured`` says that the latency is that of the whole network,
    where it is otherwise the sum of its layers; ``memory`` is always that of the whole network.
    """

    accuracy: float
    latency: float
    size: float
    energy: float
    memory: float
    forms: Mapping[str, Mapping[str, str]]
    unseen: float | None = None
    measured: bool = False

    def figures(self) -> tuple[float, ...]:
        """All figures, each of which is better when smaller."""
        return (-self.accuracy, *(float(getattr(self, name)) for name in SMALL))

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other one is at least as good as in all figures; equal ones once, the fastest first."""
    known = list({point.figures(): point for point in points}.values())
    kept = [p for p in known if not any(_dominates(other, p) for other in known if other is not p)]
    return sorted(kept, key=lambda p: p.latency)


def _dominates(one: Point, other: Point) -> bool:
    pairs = list(zip(one.figures(), other.figures(), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def point_of(record: Mapping[str, Any]) -> Point:
    """A point from its JSON. Raises KeyError for what is not there, ValueError and TypeError for what is no figure or form."""
    unseen = record.get("unseen")
    seen = {name: float(record[name]) for name in FIGURES}
    figures = {**seen, **({} if unseen is None else {"unseen": float(unseen)})}
    if wrong := [f"{name} {value}" for name, value in figures.items() if not (isfinite(value) and value >= 0)]:
        raise ValueError(f"a point has {', '.join(wrong)}")
    forms = {str(layer): {str(name): str(key) for name, key in of.items()} for layer, of in record["forms"].items()}
    return Point(**figures, forms=forms, measured=bool(record.get("measured")))
