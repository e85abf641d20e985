"""After a repair: forms that it passed over are tried one by one, each on the whole network.

The repair steps along the convex hull of errors that are measured for each layer alone and summed, so it goes too far where
layers make up for one another, and never tries what lies inside of the hull. Here one layer at a time takes a cheaper form, in
the order of the error that is expected for what is saved, and keeps it where the network stays within its budget: a local search
that starts from the greedy solution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite

from edgeopt.search.budget import Candidate, Choice, F, gain

TRIALS = 24  # each solves the network again from the layer that changes; chosen by hand


def exchange(
    start: Mapping[str, F],
    found: Choice[F],
    candidates: Sequence[Candidate[F]],
    measure: Callable[[Mapping[str, F]], float],
    max_drop: float,
) -> Choice[F]:
    """``found``, which was repaired from ``start``, with cheaper forms whose measured drop is at most ``max_drop`` all the same.

    ``measure(forms)`` is asked ``TRIALS`` times at most. A form that failed is not tried again, nor is one of its layer that
    costs no more and is expected to lose no less. Forms whose error is not finite are never tried.
    """
    known = [c for c in candidates if isfinite(c.error)]
    failed: list[Candidate[F]] = []
    for _ in range(TRIALS):
        there = _next(found.forms, known, failed)
        if there is None:
            break
        forms = {**found.forms, there.layer: there.form}
        drop = measure(forms)
        if drop <= max_drop:
            found = replace(found, forms=forms, drop=drop)
        else:
            failed.append(there)
    return replace(found, given_back=tuple(layer for layer in found.given_back if found.forms[layer] != start[layer]))


def _next(forms: Mapping[str, F], known: Sequence[Candidate[F]], failed: Sequence[Candidate[F]]) -> Candidate[F] | None:
    """The cheaper form that is expected to add least error for what it saves."""
    here = {c.layer: c for c in known if forms[c.layer] == c.form}
    cheaper = [c for c in known if c.layer in here and c.cost < here[c.layer].cost and not _hopeless(c, failed)]
    return min(cheaper, key=lambda c: gain(c, here[c.layer]), default=None)


def _hopeless(candidate: Candidate[F], failed: Iterable[Candidate[F]]) -> bool:
    """True where a milder form of the layer has failed, or this one."""
    same = [f for f in failed if f.layer == candidate.layer]
    return any(candidate.cost <= f.cost and candidate.error >= f.error for f in same)
