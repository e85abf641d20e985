"""How many decisions turn wrong, and right, on the samples that calibrated: more evidence than those that choose give alone."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np

from edgeopt.evaluate import metrics
from edgeopt.evaluate.chance import chance
from edgeopt.evaluate.data import DataSet
from edgeopt.ir import Array, Graph

Outputs = Callable[[Graph, DataSet], Array]
Changes = Callable[[Graph], tuple[int, int, int]]
UNKNOWN = (0, 0, 0)


def elsewhere(exact: Graph, calibration: DataSet | None, chosen: DataSet, reference: Array, outputs: Outputs) -> Changes:
    """What tells of a changed graph how many decisions on ``calibration`` turn wrong by it, how many right, and of how many.

    None of none where that is unknown: for samples that are labelled where the ``chosen`` ones are not, or the other way round,
    for the same ones, for labels that are met no more often than by guessing: they are of something else; and for those on which
    the exact network is right more often than on the chosen ones by its ``reference`` results: it may have been trained on them.
    """
    if calibration is None or calibration is chosen or (calibration.labels is None) != (chosen.labels is None):
        return lambda changed: UNKNOWN
    data = calibration
    made = outputs(exact, data)
    if data.labels is not None and chosen.labels is not None:
        known = metrics.accuracy(made, data.labels)
        if known <= chance(made, data.labels) or _easier(
            known, len(data.labels), metrics.accuracy(reference, chosen.labels), len(reference)
        ):
            return lambda changed: UNKNOWN
    decided = metrics.decisions(made)
    wanted = decided if data.labels is None else data.labels
    before = decided == wanted

    def changes(changed: Graph) -> tuple[int, int, int]:
        after = metrics.decisions(outputs(changed, data)) == wanted
        return int(np.sum(before & ~after)), int(np.sum(after & ~before)), len(wanted)

    return changes


def _easier(known: float, samples: int, other: float, others: int) -> bool:
    """Whether ``known`` percent of samples are more than ``other`` percent of other samples by over a standard error."""
    spread = sum(share * (100 - share) / count for share, count in ((known, samples), (other, others)))
    return known - other > sqrt(spread)
