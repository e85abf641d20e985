"""One trial of an exploration: from a few numbers to a network, to what it loses and takes. It runs in a process of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from edgeopt.evaluate import metrics
from edgeopt.explore.point import SMALL, Point
from edgeopt.forms.form import Choice
from edgeopt.search.alike import forms_of
from edgeopt.search.allocate import Problem, cheapest
from edgeopt.search.limits import Figures, Limits
from edgeopt.search.opened import Search, open_model
from edgeopt.search.remembered import contents, spelled
from edgeopt.search.sparsity import stored_profiles
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import target as find_target

RANGES = {"error": (-5.0, 0.0), **dict.fromkeys(SMALL, (-3.0, 0.0))}  # powers of ten


@dataclass(frozen=True)
class Subject:
    """The model, its data and its target, by their names: what every worker opens by itself."""

    model: str
    data: str
    calibration: str | None
    target: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    seed: int = 0
    accept_chance: bool = field(default=False, repr=False)  # which changes nothing of what is found

    def opened(self) -> Search:
        """The search, once in a process; what one of them measures, the others find in the cache."""
        return _opened(self)

    def contents(self) -> str:
        """A digest of what its files hold now, the exact network, whose weights may lie in others, and all samples; and of the

        forms that layers may have.
        """
        _opened.cache_clear()
        search = self.opened()
        forms = repr([(layer, *map(spelled, search.space.choices(layer))) for layer in search.space.layers])
        samples = search.calibrating, search.trials.data, search.held
        return hashlib.sha256((contents(search.space.graph, samples) + forms).encode()).hexdigest()


@lru_cache(maxsize=1)
def _opened(subject: Subject) -> Search:
    shapes = dict(subject.shapes) or None
    samples = subject.data, subject.calibration
    return open_model(subject.model, find_target(subject.target), *samples, shapes, subject.seed, subject.accept_chance)


def evaluate(subject: Subject, numbers: Mapping[str, float]) -> Point:
    """The network that is cheapest by the weights among ``numbers``, whose errors add up to at most a share of the largest sum.

    Numbers are powers of ten within ``RANGES``.
    """
    search = subject.opened()
    table, exact = search.table, search.table.exact
    weights = {name: 10 ** numbers[name] / (exact[name] or 1.0) for name in SMALL}  # type: ignore[index]
    problem = Problem(table.options, table.rest, Limits(), weights)  # type: ignore[arg-type]
    largest = cheapest(problem)
    assert largest is not None
    picked = cheapest(problem, problem.error(largest) * 10 ** numbers["error"]) or largest
    forms = forms_of(table, picked)
    accuracy = search.trials.result(forms)[0]
    return _point(accuracy, {**problem.takes(picked), "memory": float(search.trials.arena(forms))}, forms)


def exact(subject: Subject) -> Point:
    """The network without approximation."""
    search = subject.opened()
    return _point(search.trials.before, search.table.exact, {})


def measured(subject: Subject, point: Point) -> Point:
    """The point with the time and RAM of the whole network, and its accuracy on samples that chose nothing."""
    search = subject.opened()
    space, goal = search.space, search.space.goal
    forms = {n: next(c for c in space.choices(n) if _spelled(c) == point.forms.get(n, {})) for n in space.layers}
    graph = space.carried_out(space.solve(forms))
    found = stored_profiles({"point": graph}, goal.target, goal.level)["point"]
    unseen = None
    if search.held is not None and search.held.labels is not None:
        unseen = metrics.accuracy(compiled_outputs(graph, search.held, goal.target, goal.level), search.held.labels)
    return Point(point.accuracy, found.seconds, point.size, point.energy, float(found.ram), point.forms, unseen, True)


def _point(accuracy: float, takes: Figures, forms: Mapping[str, Choice]) -> Point:
    changed = {layer: _spelled(choice) for layer, choice in forms.items() if choice}
    return Point(accuracy, takes["latency"], takes["size"], takes["energy"], takes["memory"], changed)


def _spelled(choice: Choice) -> dict[str, str]:
    return {form.technique: form.key for form in sorted(choice)}
