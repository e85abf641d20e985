"""FRONT.json: what an exploration found, for `edgeopt select` and other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeopt import __version__
from edgeopt.errors import EdgeoptError
from edgeopt.explore.point import Point, point_of
from edgeopt.files import read_regular

SCHEMA = 1  # the version of the file; front.schema.json says what is in it
NEWER = "take the edgeopt that wrote it, or a later one"
MOST = 64 << 20  # bytes


@dataclass(frozen=True)
class Front:
    """The ``points`` of a model for a target, the fastest first, the ``exact`` network, and how many trials there were.

    ``shapes`` bound dimensions of inputs, ``seed`` drew samples, ``accept_chance`` let a model pass that is right by chance.
    """

    model: str
    target: str
    trials: int
    exact: Point
    points: Sequence[Point]
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    seed: int = 0
    accept_chance: bool = False

    def text(self) -> str:
        """As JSON."""
        record: dict[str, Any] = {"schema": SCHEMA, "model": self.model, "target": self.target, "trials": self.trials}
        points = [point.record() for point in self.points]
        record |= {"shapes": {name: list(sizes) for name, sizes in self.shapes.items()}}
        record |= {"seed": self.seed, "accept_chance": self.accept_chance}
        return json.dumps({**record, "exact": self.exact.record(), "points": points}, indent=1) + "\n"


def read_front(path: Path) -> Front:
    """The front in a file. Raises EdgeoptError for what is none."""
    try:
        found = json.loads(read_regular(path, MOST))
        if isinstance(found["schema"], int) and found["schema"] > SCHEMA:
            raise EdgeoptError(f"'{path}' is a front of schema {found['schema']}; edgeopt {__version__} reads {SCHEMA}: {NEWER}")
        points = [point_of(point) for point in found["points"]]
        if found["schema"] != SCHEMA or not points:
            raise ValueError(f"schema {found['schema']} with {len(points)} points")
        shapes = {str(name): [int(size) for size in sizes] for name, sizes in found.get("shapes", {}).items()}
        opened = shapes, int(found.get("seed", 0)), bool(found.get("accept_chance", False))
        exact = point_of(found["exact"])
        return Front(str(found["model"]), str(found["target"]), int(found["trials"]), exact, points, *opened)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        why = f"there is no {error} in it" if isinstance(error, KeyError) else error
        raise EdgeoptError(f"'{path}' is no front that `edgeopt explore` wrote: {why}") from error
