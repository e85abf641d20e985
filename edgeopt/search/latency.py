"""How long single inferences take: models side by side on the same samples, since the time may depend on the sample."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.runtime.clock import Clock
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, sample_count

PERCENTILES = (50, 95, 99)
TIMED, SINGLE, ROUNDS = 500, 50, 5  # samples of a mean, of percentiles
BURST = 5e-3  # seconds of a call without exits


@dataclass(frozen=True)
class Latency:
    """Seconds: the ``mean`` of samples one after the other in native calls; ``percentiles`` (50, 95, 99) of single samples."""

    mean: float
    percentiles: tuple[float, ...]


def latencies(models: Sequence[CompiledModel], samples: DataSet, single: int, rounds: int) -> list[Latency]:
    """Of each model on ``samples``, of which ``single`` are also timed alone; in turns, the least of the ``rounds``.

    Samples run in bursts of some milliseconds, each of which counts by its own least time: who else uses the machine counts less.
    """
    few = samples.subset(single)
    step = max(1, int(BURST * len(few) / min(_stream(models[0], few) for _ in range(2))))
    bursts = [samples.take(slice(at, at + step)) for at in range(0, len(samples), step)]
    together = np.full((len(models), len(bursts)), np.inf)
    alone = np.full((len(models), len(few)), np.inf)
    clocks = [[Clock(model, few.take(slice(at, at + 1)).arrays) for at in range(len(few))] for model in models]
    for _ in range(rounds):
        for which, at in np.ndindex(together.shape):
            together[which, at] = min(together[which, at], _stream(models[which], bursts[at]))
        for which, at in np.ndindex(alone.shape):
            alone[which, at] = min(alone[which, at], clocks[which][at]())
    means = together.sum(axis=1) / len(samples)
    shares = np.percentile(alone, PERCENTILES, axis=1).T
    return [Latency(float(mean), tuple(map(float, row))) for mean, row in zip(means, shares, strict=True)]


def _stream(model: CompiledModel, samples: DataSet) -> float:
    """Seconds; where a call takes one batch only, the way from Python counts."""
    step = len(samples) if _at_once(model, samples) else 1
    calls = [samples.take(slice(at, at + step)).arrays for at in range(0, len(samples), step)]
    begun = time.perf_counter()
    for arrays in calls:
        model.run(arrays)
    return time.perf_counter() - begun


def _at_once(model: CompiledModel, samples: DataSet) -> bool:
    try:
        return sample_count(checked(samples.arrays, model.inputs), model.inputs, model.outputs) == len(samples)
    except EdgeoptError:
        return False


def timed(plain: CompiledModel, early: CompiledModel, samples: DataSet) -> dict[str, dict[str, Any]]:
    """For the manifest: the latency of a model without exits and of the same ``with_exits`` on some of the ``samples``."""
    before, after = latencies((plain, early), samples.subset(TIMED), SINGLE, ROUNDS)
    return {"plain": asdict(before), "with_exits": asdict(after)}
