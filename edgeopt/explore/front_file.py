"""FRONT.json: what an exploration found, for `edgeopt select` and other tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeopt import __version__
from edgeopt.errors import EdgeoptError
from edgeopt.explore.point import Point, point_of
from edgeopt.files import read_regular

SCHEMA = 1  # the version of the file; front.schema.json says what is in it
NEWER = "take the edgeopt that wrote it, or a later one"
MOST = 64 << 20  # bytes


@dataclass(frozen=True)
class Front:
    """The ``points`` of a model for a target, the fastest first, the ``exact`` network, and how many trials there were."""

    model: str
    target: str
    trials: int
    exact: Point
    points: Sequence[Point]

    def text(self) -> str:
        """As JSON."""
        record = {"schema": SCHEMA, "model": self.model, "target": self.target, "trials": self.trials}
        points = [point.record() for point in self.points]
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
        return Front(str(found["model"]), str(found["target"]), int(found["trials"]), point_of(found["exact"]), points)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        why = f"there is no {error} in it" if isinstance(error, KeyError) else error
        raise EdgeoptError(f"'{path}' is no front that `edgeopt explore` wrote: {why}") from error
