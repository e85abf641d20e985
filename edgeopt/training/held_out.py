"""The loss on samples that are held out: what decides which state of a training is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgeopt.ir import Array, Graph
from edgeopt.training.batches import Batches, calls
from edgeopt.training.forward import AT_ONCE, Feed
from edgeopt.training.operators.definition import Traced
from edgeopt.training.phase import State

FEWEST, MOST = 16, 512  # samples: of fewer the loss says little, of more it takes long


class HeldOut:
    """``parts`` of one size: inputs, what the original network says, labels. None where there are too few samples."""

    def __init__(
        self, loss: Callable[..., Traced], teacher: Callable[[Feed], list[Traced]], batches: Batches, graph: Graph
    ) -> None:
        self._loss = jax.jit(loss)
        data = batches.held_out.subset(MOST, batches.seed)
        size = min(AT_ONCE, len(data))
        starts = range(0, len(data) - size + 1, size) if len(data) >= FEWEST else ()
        self.parts: list[tuple[Any, list[Traced], Traced | None]] = []
        for some in (data.take(slice(start, start + size)) for start in starts):
            feed = calls(some.arrays, graph)
            labels = None if some.labels is None else jnp.asarray(some.labels, jnp.int32)
            self.parts.append((feed, teacher(feed), labels))

    def losses(self, state: State) -> Array:
        """That of each part, float64 [parts]."""
        return np.array([self._loss(state.trained, state.bound, *part) for part in self.parts], np.float64)
