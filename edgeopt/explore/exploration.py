"""``edgeopt.explore``: the Pareto front of a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgeopt import arguments
from edgeopt.explore.front_file import Front
from edgeopt.explore.point import Point, front
from edgeopt.explore.study import Study, Told
from edgeopt.explore.trial import Subject, exact, measured
from edgeopt.explore.workers import Processes, Ray, Workers
from edgeopt.progress import news, stage

MEASURED = 24  # points of the front, spread over it, that are measured as whole networks; chosen by hand


def explore(
    model: str | Path,
    data: str | Path,
    calibration: str | Path | None = None,
    *,
    target: str = "host",
    shapes: Mapping[str, Sequence[int]] | None = None,
    trials: int = 100,
    seconds: float | None = None,
    workers: int = 1,
    ray: str | None = None,
    seed: int = 0,
    accept_chance: bool = False,
    journal: str | Path = "front.journal",
    told: Told = lambda done, point: None,
) -> Front:
    """The networks that ``model`` can become of which no other is at least as accurate, fast, small, saving and thrifty of RAM.

    ``trials`` in all are kept in ``journal``, from which a later call goes on; none but the first begins ``seconds`` after the
    call, which pricing layers counts to.
    ``workers`` run at once: processes here, or tasks on the cluster at the address ``ray`` ("local" starts one).
    ``told(done, point)`` is called after each. Points of the front are then measured as whole networks, on samples that were
    kept apart. With ``accept_chance`` a float model that is right no more often than guessing does not stop the work. Raises
    EdgeoptError for wrong arguments, where an extra is missing, and as compilation does.
    """
    end = None if seconds is None else time.monotonic() + seconds
    for name, value in (("trials", trials), ("workers", workers)):
        arguments.whole(name, value, 1)
    for name, path in (("model", model), ("data", data), ("calibration", calibration)):
        arguments.file(name, path)
    arguments.shapes(shapes)
    named = tuple((name, tuple(sizes)) for name, sizes in (shapes or {}).items())
    second = None if calibration is None else str(Path(calibration).resolve())
    subject = Subject(str(Path(model).resolve()), str(Path(data).resolve()), second, target, named, seed, accept_chance)
    study = Study(Path(journal), subject, seed)
    study.begin(subject.contents())
    whole = exact(subject)  # before the workers: they find its prices in the cache
    found = _tried(lambda: Processes(workers) if ray is None else Ray(ray), study, workers, trials, end, told)
    stage("timing layers")
    news(f"the front of {len(found)} points")
    points = [measured(subject, p) if k in _spread(len(found)) else p for k, p in enumerate(found)]
    opened = dict(shapes or {}), seed, accept_chance
    return Front(str(model), target, len(study.points()), measured(subject, whole), front(points), *opened)


def _tried(opened: Callable[[], Workers], study: Study, width: int, trials: int, end: float | None, told: Told) -> list[Point]:
    pool = opened()
    try:
        return study.run(pool, width, trials, end, told)
    finally:
        pool.close()


def _spread(count: int) -> set[int]:
    """At most ``MEASURED`` places out of ``count``, as far apart as possible, both ends among them."""
    if count <= MEASURED:
        return set(range(count))
    return {round(k * (count - 1) / (MEASURED - 1)) for k in range(MEASURED)}
