"""How often decisions change on the samples that calibrated: it tells how far chance goes on those that choose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.ir import Array, Graph

Outputs = Callable[[Graph, DataSet], Array]


def elsewhere(exact: Graph, calibration: DataSet | None, chosen: DataSet, outputs: Outputs) -> Callable[[Graph], float]:
    """What tells of a changed graph how large a share of the decisions on ``calibration`` turns right or wrong by it.

    0 where that is unknown: for samples that are labelled where the ``chosen`` ones are not, or the other way round, or the same.
    """
    if calibration is None or calibration is chosen or (calibration.labels is None) != (chosen.labels is None):
        return lambda changed: 0.0
    data = calibration
    before = metrics.decisions(outputs(exact, data))
    wanted = before if data.labels is None else data.labels
    return lambda changed: float(np.mean((metrics.decisions(outputs(changed, data)) == wanted) != (before == wanted)))
