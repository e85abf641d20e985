"""Choice under a budget: the cheapest form of every layer, verified on the whole network, and repaired until it fits.

A technique offers forms of a layer, each a Candidate with its cost and its error. The repair is greedy: of all steps to a better
form, those come first that take most error away for the cost they add (the greedy method for the multiple-choice knapsack
problem on the convex hull of each layer; Kellerer, Pferschy, Pisinger, Knapsack Problems, 2004, section 11.2). What forms do to
the network together is measured, never summed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan
from typing import Generic, TypeVar

F = TypeVar("F", bound=Hashable)  # what names a form


@dataclass(frozen=True)
class Candidate(Generic[F]):
    """One form of one layer: ``cost`` in the unit that is to be small, ``error`` in any measure that adds up in order."""

    layer: str
    form: F
    cost: float
    error: float


@dataclass(frozen=True)
class Choice(Generic[F]):
    """The form of every layer, the layers that did not keep their first form, worst first, and the drop measured."""

    forms: dict[str, F]
    given_back: tuple[str, ...]
    drop: float


@dataclass(frozen=True)
class Step(Generic[F]):
    """A layer changes to a better form, which takes ``gain`` of error away for each unit of cost."""

    layer: str
    form: F
    gain: float


def choose(
    start: Mapping[str, F],
    candidates: Callable[[], Sequence[Candidate[F]]],
    measure: Callable[[Mapping[str, F]], float],
    max_drop: float,
    exact: F | None = None,
) -> Choice[F]:
    """The forms nearest to ``start`` found whose measured drop is at most ``max_drop``.

    ``measure(forms)`` is the drop of the whole network; ``candidates()`` gives all forms of all layers, those of ``start``
    among them, and is asked only when something has to be repaired, since errors cost time. Steps are made in growing
    numbers; a bisection then takes back those that were not needed. The last steps lead to the form ``exact``, whatever the
    errors say: they are measured on other samples. A drop or an error that is NaN is the largest there is.
    """
    measure = _worst_for_nan(measure)
    drop = measure(start)
    if drop <= max_drop:
        return Choice(dict(start), (), drop)
    steps = ladder(start, candidates())
    if exact is not None:
        steps += [Step(layer, exact, 0.0) for layer, form in _after(start, steps).items() if form != exact]
    count, drops = 0, {0: drop}
    while drops[count] > max_drop and count < len(steps):
        count = min(len(steps), max(1, 2 * count))
        drops[count] = measure(_after(start, steps[:count]))
    count = _fewest(count, drops, lambda k: measure(_after(start, steps[:k])), max_drop)
    forms = _after(start, steps[:count])
    return Choice(forms, tuple(dict.fromkeys(s.layer for s in steps[:count])), drops[count])


def _worst_for_nan(measure: Callable[[Mapping[str, F]], float]) -> Callable[[Mapping[str, F]], float]:
    def measured(forms: Mapping[str, F]) -> float:
        drop = measure(forms)
        return inf if isnan(drop) else drop

    return measured


def ladder(start: Mapping[str, F], candidates: Sequence[Candidate[F]]) -> list[Step[F]]:
    """All steps to better forms, the most worthwhile first; those of one layer in order."""
    return sorted((step for layer in start for step in _steps(layer, start[layer], candidates)), key=lambda s: -s.gain)


def _steps(layer: str, form: F, candidates: Sequence[Candidate[F]]) -> list[Step[F]]:
    """From the present form along the lower convex hull of cost and error, so that gains fall."""
    here = next(c for c in candidates if c.layer == layer and c.form == form)
    here = replace(here, error=inf) if isnan(here.error) else here
    rest, steps = [c for c in candidates if c.layer == layer and not isnan(c.error)], list[Step[F]]()
    while rest := [c for c in rest if c.error < here.error]:
        there = max(rest, key=lambda c: (gain(here, c), -c.error))
        steps.append(Step(layer, there.form, gain(here, there)))
        here = there
    return steps


def gain(here: Candidate[F], there: Candidate[F]) -> float:
    """Error taken away for each unit of cost; what costs nothing comes before everything else, the largest error first."""
    less, more = here.error - there.error, there.cost - here.cost
    return less / more if more > 0 else 1e30 * (1.0 + less)


def _after(start: Mapping[str, F], steps: Sequence[Step[F]]) -> dict[str, F]:
    return {**start, **{s.layer: s.form for s in steps}}


def _fewest(count: int, drops: dict[int, float], measure: Callable[[int], float], max_drop: float) -> int:
    """The smallest number found by bisection between the last one that failed and ``count``."""
    failed = max((k for k, d in drops.items() if k < count and d > max_drop), default=0)
    while count - failed > 1:
        middle = (count + failed) // 2
        drops[middle] = measure(middle)
        if drops[middle] <= max_drop:
            count = middle
        else:
            failed = middle
    return count
