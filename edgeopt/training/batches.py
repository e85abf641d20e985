"""The samples that are trained on: a part held out for decisions, batches in a seeded order, and small changes to the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.ir import Array, Graph
from edgeopt.training.augmentation import Augmentation, changed, mixed

HELD_OUT, MOST_HELD_OUT = 0.1, 2000
SMALLEST, FEWEST_STEPS = 16, 8  # samples of a batch that is made smaller, for so many steps an epoch


@dataclass(frozen=True)
class Batches:
    """``training`` and ``held_out`` samples; ``batch`` are trained on at once, changed as ``augmentation`` says."""

    training: DataSet
    held_out: DataSet
    batch: int
    seed: int = 0
    augmentation: Augmentation = Augmentation()

    @property
    def steps_an_epoch(self) -> int:
        """Batches until every sample was seen; the last samples of an order that fill no batch wait for the next one."""
        return len(self.training) // self.batch

    def indices(self, step: int) -> Array:
        """The samples of the batch of a step, which says all: a run that goes on in the middle sees the same ones."""
        epoch, turn = divmod(step, self.steps_an_epoch)
        order = _order(self.seed, epoch, len(self.training))
        return np.asarray(order[turn * self.batch : (turn + 1) * self.batch])

    def arrays(self, step: int) -> dict[str, Array]:
        """Inputs of the batch of a step by name, changed at random."""
        part = self.training.take(self.indices(step)).arrays
        if not self.augmentation.changes:
            return dict(part)
        rng = np.random.default_rng([self.seed, 1 + step, 7])
        made = {name: changed(array, self.augmentation, rng) for name, array in part.items()}
        return mixed(made, rng) if self.augmentation.mixes else made

    def labels(self, step: int) -> Array | None:
        """Those of the batch of a step; None where there are none, or the samples are mixtures."""
        labels = self.training.labels
        return None if labels is None or self.augmentation.mixes else labels[self.indices(step)]


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> Array:
    return np.asarray(np.random.default_rng([seed, epoch]).permutation(count))


def split(data: DataSet, graph: Graph, batch: int, seed: int, augmentation: Augmentation, smaller: bool = False) -> Batches:
    """Hold a random part out. Batches may be ``smaller`` where there are few samples, so that an epoch has some steps.

    Raises EdgeoptError for too few samples, labels of a single class, values that are not finite, inputs that cannot be changed.
    """
    where = "the training data"
    if len(data) < batch + 2:
        raise EdgeoptError(
            f"{where} has {len(data)} samples, of which some are held out; a batch takes {batch}: give more, or --batch"
        )
    if data.labels is not None and len(np.unique(data.labels)) < 2:
        raise EdgeoptError(f"{where} has a single class, {data.labels[0]}; at least two are needed, or no labels at all")
    for name, array in data.arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise EdgeoptError(f"{where} has values in '{name}' that are NaN or infinite; remove these samples")
    for value in graph.inputs:
        if augmentation.changes and (value.type is None or len(value.type.dims) < 3):
            raise EdgeoptError(f"input '{value.name}' is {value.type}: only maps can be augmented")
    order = np.random.default_rng([seed, 0x5EED]).permutation(len(data))
    cut = max(1, min(int(HELD_OUT * len(data)), MOST_HELD_OUT))
    batch = min(batch, max(SMALLEST, len(data) // FEWEST_STEPS)) if smaller else min(batch, len(data) - cut)
    return Batches(data.take(np.sort(order[cut:])), data.take(np.sort(order[:cut])), batch, seed, augmentation)


def calls(arrays: Mapping[str, Array], graph: Graph) -> dict[str, Array]:
    """Samples one behind the other as calls: [calls, ...the shape of an input...]."""
    shapes = {v.name: v.type.dims for v in graph.inputs if v.type is not None}
    return {name: array.reshape(-1, *shapes[name]) for name, array in arrays.items()}
