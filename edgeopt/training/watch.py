"""Early stopping: the best state of a phase by the loss on held-out samples, and when to stop looking for a better one.

Beside labels and the original outputs the loss holds what a phase adds, so that what it is to make small counts here too.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from edgeopt.training.phase import State

CHECKS = 20  # of a phase


class Watch:
    """Looks at states from the share ``settled`` of a phase on; ``patience`` checks without a better one end it, 0 never do.

    Until the first check the state that is kept is the one at hand.
    """

    def __init__(self, patience: int, settled: float, state: State) -> None:
        self._patience, self._settled = patience, settled
        self._best, self._loss, self._since = state, np.inf, 0

    def due(self, done: int, steps: int) -> bool:
        """Whether to look after ``done`` of ``steps`` steps: some times in a phase, and at its end."""
        if done < self._settled * steps:
            return False
        return done in (0, steps) or done * CHECKS // steps != (done - 1) * CHECKS // steps

    def see(self, loss: float, state: State) -> None:
        """The ``loss`` of a state on held-out samples."""
        if loss < self._loss:
            self._best, self._loss, self._since = state, loss, 0
        else:
            self._since += 1

    @property
    def over(self) -> bool:
        """Whether nothing better was seen for long."""
        return bool(self._patience and self._since >= self._patience)

    def chosen(self, last: State) -> State:
        """The best state, or the ``last`` one where there was nothing to tell."""
        return self._best if np.isfinite(self._loss) else last

    def saved(self) -> tuple[Any, ...]:
        """What a checkpoint holds of it."""
        return self._best.trained, self._best.bound, np.float64(self._loss), np.int64(self._since)

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Go on with what was ``saved``."""
        trained, bound, loss, since = saved
        trained, bound = ({key: jnp.asarray(array) for key, array in part.items()} for part in (trained, bound))
        self._best, self._loss, self._since = State(trained, bound), float(loss), int(since)
