"""Early stopping: the best state of a phase by the loss on held-out samples, and when to stop looking for a better one.

A later state was trained at a smaller rate, which the few samples that are held out may not tell: it is taken unless it is worse
than the best one by more than the standard error of their difference over parts of these samples. Beside labels and the original
outputs the loss holds what a phase adds, so that what it is to make small counts here too.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from edgeopt.ir import Array
from edgeopt.training.phase import State

CHECKS = 20  # of a phase
FEWEST = 4  # parts, of fewer of which nothing is known but their mean


class Watch:
    """Looks at states from the share ``settled`` of a phase on; ``patience`` checks in a row that are worse end it, 0 never do.

    Until the first check the state that is kept is the one at hand. Held-out samples come in so many ``parts``.
    """

    def __init__(self, patience: int, settled: float, state: State, parts: int = 1) -> None:
        self._patience, self._settled = patience, settled
        self._kept, self._least, self._since = state, np.full(max(1, parts), np.inf), 0

    def due(self, done: int, steps: int) -> bool:
        """Whether to look after ``done`` of ``steps`` steps: some times in a phase, and at its end."""
        if done < self._settled * steps:
            return False
        return done in (0, steps) or done * CHECKS // steps != (done - 1) * CHECKS // steps

    def see(self, losses: Array, state: State) -> None:
        """The ``losses`` [parts] of a state on held-out samples."""
        if not _is_worse(losses, self._least):
            self._kept, self._since = state, 0
        else:
            self._since += 1
        if losses.mean() < self._least.mean():
            self._least = losses

    @property
    def over(self) -> bool:
        """Whether what was seen was worse for long."""
        return bool(self._patience and self._since >= self._patience)

    def chosen(self, last: State) -> State:
        """The best state, or the ``last`` one where there was nothing to tell."""
        return self._kept if np.isfinite(self._least).all() else last

    def saved(self) -> tuple[Any, ...]:
        """What a checkpoint holds of it."""
        return self._kept.trained, self._kept.bound, self._least, np.int64(self._since)

    def restore(self, saved: tuple[Any, ...]) -> None:
        """Go on with what was ``saved``."""
        trained, bound, least, since = saved
        trained, bound = ({key: jnp.asarray(array) for key, array in part.items()} for part in (trained, bound))
        self._kept, self._least, self._since = State(trained, bound), np.asarray(least), int(since)


def _is_worse(losses: Array, least: Array) -> bool:
    """Whether ``losses`` are above the ``least`` ones by more than chance."""
    if not np.isfinite(least).all():
        return not np.isfinite(losses).all()
    above = losses - least
    error = above.std(ddof=1) / np.sqrt(len(above)) if len(above) >= FEWEST else 0.0
    return not above.mean() <= error
