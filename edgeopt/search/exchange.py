"""After a repair: forms that it passed over are tried, each time on the whole network.

The repair steps along the convex hull of errors that are measured for each layer alone and summed, so it goes too far where
layers make up for one another, and never tries what lies inside of the hull. Here one layer after the other takes a cheaper
form, in the order of the error that is expected for what is saved, and keeps it where the network stays within its budget: a
local search that starts from the greedy solution. A ladder may have many rungs, and a trial costs as much for one step as for
several: while trials succeed, twice as many steps are taken in the next one, and half as many after one that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite

from edgeopt.search.budget import Candidate, Choice, F, gain

TRIALS = 24  # each solves the network again from the first layer that changes; chosen by hand


def exchange(
    start: Mapping[str, F],
    found: Choice[F],
    candidates: Sequence[Candidate[F]],
    measure: Callable[[Mapping[str, F]], float],
    max_drop: float,
    doubtful: Callable[[Mapping[str, F]], bool] = lambda forms: False,
) -> Choice[F]:
    """``found``, which was repaired from ``start``, with cheaper forms whose measured drop is at most ``max_drop`` all the same.

    ``measure(forms)`` is asked ``TRIALS`` times at most. A step that failed alone is not tried again, nor is one of its layer to
    a form that costs no more and is expected to lose no less. Forms whose error is not finite are never tried. Nothing more is
    tried when what was found is ``doubtful``.
    """
    known = [c for c in candidates if isfinite(c.error)]
    costs = {(c.layer, c.form): c.cost for c in known}
    failed: list[Candidate[F]] = []
    lost: list[Mapping[str, F]] = []
    most, asked = 1, 0
    while asked < TRIALS and not doubtful(found.forms) and (steps := _steps(found.forms, known, failed, most)):
        forms = {**found.forms, **{step.layer: step.form for step in steps}}
        if not any(_beyond(forms, other, costs) for other in lost):
            drop, asked = measure(forms), asked + 1
            if drop <= max_drop:
                found, most = replace(found, forms=forms, drop=drop), 2 * most
                continue
            lost.append(forms)
        failed += steps if len(steps) == 1 else []
        most = max(1, len(steps) // 2)
    return replace(found, given_back=tuple(layer for layer in found.given_back if found.forms[layer] != start[layer]))


def _steps(
    forms: Mapping[str, F], known: Sequence[Candidate[F]], failed: Sequence[Candidate[F]], most: int
) -> list[Candidate[F]]:
    """The next steps, one after the other; a layer may take several."""
    steps: list[Candidate[F]] = []
    while len(steps) < most and (step := _next(forms, known, failed)) is not None:
        steps.append(step)
        forms = {**forms, step.layer: step.form}
    return steps


def _beyond(forms: Mapping[str, F], lost: Mapping[str, F], costs: Mapping[tuple[str, F], float]) -> bool:
    """True where no layer costs more than in forms that lost too much."""
    return all(forms[n] == lost[n] or costs.get((n, forms[n]), inf) <= costs.get((n, lost[n]), inf) for n in forms)


def _next(forms: Mapping[str, F], known: Sequence[Candidate[F]], failed: Sequence[Candidate[F]]) -> Candidate[F] | None:
    """The cheaper form that is expected to add least error for what it saves."""
    here = {c.layer: c for c in known if forms[c.layer] == c.form}
    cheaper = [c for c in known if c.layer in here and c.cost < here[c.layer].cost and not _hopeless(c, failed)]
    return min(cheaper, key=lambda c: gain(c, here[c.layer]), default=None)


def _hopeless(candidate: Candidate[F], failed: Iterable[Candidate[F]]) -> bool:
    """True where a milder form of the layer has failed, or this one."""
    same = [f for f in failed if f.layer == candidate.layer]
    return any(candidate.cost <= f.cost and candidate.error >= f.error for f in same)
