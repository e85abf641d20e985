"""How many steps fit into some minutes: a few are timed and undone before the training begins.

The number is kept beside the checkpoints, so that a training that goes on later, or on another machine, has as many.
"""

from __future__ import annotations

import time

import numpy as np

from edgeopt.training import checkpoint
from edgeopt.training.checkpoint import Checkpoint, Store
from edgeopt.training.loop import Loop

TIMED = 12  # steps, of which the first compiles
ROOM = 0.9  # of the minutes; the rest is for looking at held-out samples, and for what is done before and after


def paced(loop: Loop, steps: int, minutes: float, store: Store | None = None) -> int:
    """As many of ``steps`` as ``minutes`` have room for, at the pace of the first ones of ``loop``; one at least."""
    place = None if store is None else store.folder / "steps.npz"
    if store is not None and place is not None and (saved := checkpoint.read(place, store.identity)) is not None:
        return saved.step
    found = int(np.clip(ROOM * 60 * minutes / _seconds(loop), 1, steps))
    if store is not None and place is not None:
        checkpoint.write(place, Checkpoint(store.identity, found))
    return found


def _seconds(loop: Loop) -> float:
    """Of a step, the median of some, after which the loop is where it was."""
    start, taken = loop.saved(), []
    for number in range(TIMED):
        begin = time.perf_counter()
        loop.finite(loop.step(number))
        taken.append(time.perf_counter() - begin)
    loop.restore(start, 0)
    return float(np.median(taken[1:]))
