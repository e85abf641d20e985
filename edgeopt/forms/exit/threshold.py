"""One threshold for all exits: as low as a budget allows with a one-sided bound.

A threshold of its own for each exit fits the samples it is chosen on; a common one with a confidence bound keeps its promise on
others. The loss is paired: for each sample, whether the network was right and what leaves early is wrong, or the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.evaluate.intervals import ONE_SIDED
from edgeopt.ir import Array

STEPS = 200  # thresholds that are looked at, at the quantiles of the confidences


@dataclass(frozen=True)
class Goal:
    """At most ``max_drop`` percentage points lost, by the bound; or at most the share ``macs`` of the operations on average."""

    max_drop: float = 1.0
    macs: float | None = None


@dataclass(frozen=True)
class Operating:
    """What happens at ``threshold``: the ``share`` and ``accuracy`` (percent) of samples at each exit and the end.

    ``macs`` is the expected share of the network's multiply-accumulates, ``loss`` percentage points, ``bound`` its upper bound.
    """

    threshold: float
    shares: tuple[float, ...]
    accuracies: tuple[float, ...]
    macs: float
    accuracy: float
    loss: float
    bound: float


def leaves(sure: Sequence[Array], threshold: float) -> Array:
    """The exit of each sample, ``len(sure)`` for the end, from its confidence at each."""
    taken = np.stack([*(c >= threshold for c in sure), np.ones(len(sure[0]), bool)])
    return np.asarray(taken.argmax(axis=0))


def operating(sure: Sequence[Array], right: Sequence[Array], depths: Sequence[float], threshold: float) -> Operating:
    """What ``threshold`` does to samples.

    ``sure`` are their confidences at each exit, ``right`` whether each exit and the end classify them as they should, and at
    last whether that does from which losses count, where it is not the end. ``depths`` is the share of the multiply-accumulates
    that is done when each exit and the end are reached.
    """
    where = leaves(sure, threshold)
    table = np.stack(right)
    correct = table[where, np.arange(len(where))]
    lost = table[-1].astype(float) - correct
    bound = lost.mean() + ONE_SIDED * lost.std() / np.sqrt(len(lost))
    counts = [where == k for k in range(len(depths))]
    return Operating(
        threshold,
        tuple(float(c.mean()) for c in counts),
        tuple(100 * float(correct[c].mean()) if c.any() else 0.0 for c in counts),
        float(np.take(np.asarray(depths), where).mean()),
        100 * float(correct.mean()),
        100 * float(lost.mean()),
        100 * float(bound),
    )


def curve(sure: Sequence[Array], right: Sequence[Array], depths: Sequence[float]) -> Iterator[Operating]:
    """Operating points from the threshold that nothing passes downwards."""
    levels = np.unique(np.quantile(np.concatenate(sure), np.linspace(0, 1, STEPS)))[::-1]
    return (operating(sure, right, depths, float(t)) for t in [2.0, *levels])


def chosen(points: Iterable[Operating], goal: Goal) -> Operating:
    """The point to run at: within a loss, the fewest operations whose bound is within it; within a cost, the least loss.

    The first that leave are few, and their bound is wide: it may pass the budget there and come back. The first point, where
    nothing leaves, is always allowed.
    """
    line = list(points)
    if goal.macs is None:
        return min((p for p in line if p is line[0] or p.bound <= goal.max_drop), key=lambda p: p.macs)
    most = goal.macs
    return min([p for p in line if p.macs <= most] or line[:1], key=lambda p: (p.bound, p.macs))
