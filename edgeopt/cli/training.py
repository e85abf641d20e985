"""How far a training is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgeopt.cli.console import Count, counting, note

if TYPE_CHECKING:
    from edgeopt.training.train import Listener, Progress

SECONDS = 10.0  # between two lines


@contextmanager
def shown() -> Iterator[Listener]:
    """A listener that shows the phase, the loss and the time left on stderr."""
    with counting() as count:
        yield _lines() if count is None else _bar(count)


@contextmanager
def told_how_to_go_on(checkpoints: Path | None) -> Iterator[None]:
    """Says what is left of a training that is interrupted, and how to go on with it."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoints is None:
            note("stopped: nothing is kept; with --checkpoints DIR the same command would go on")
        elif any(checkpoints.glob("*.npz")):
            note(f"stopped: the same command goes on from the checkpoint in {checkpoints}")
        else:
            note(f"stopped before the first checkpoint in {checkpoints}, which is written some seconds into the training")
        raise


def _bar(count: Count) -> Listener:
    return lambda made: count(f"{made.phase}: loss {made.loss:.4f}", made.step, made.steps)


def _lines() -> Listener:
    started, said = time.monotonic(), time.monotonic()

    def listen(made: Progress) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < SECONDS and made.step < made.steps:
            return
        said, left = now, (now - started) / made.step * (made.steps - made.step)
        note(f"{made.phase}: step {made.step} of {made.steps}, loss {made.loss:.4f}, about {left:.0f} s left")

    return listen
