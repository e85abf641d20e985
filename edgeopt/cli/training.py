"""How far a training is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgeopt.cli.console import Count, counting, note
from edgeopt.progress import STAGES, listening

if TYPE_CHECKING:
    from edgeopt.training.train import Listener, Progress

SECONDS = 10.0  # between two lines


@contextmanager
def shown() -> Iterator[Listener]:
    """A listener that shows the phase, the loss and the time left on stderr, where news are told, too."""
    with counting() as count, listening(_news):
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


def _news(text: str, share: float) -> None:
    """What is said between the steps, as that a training goes on from a checkpoint; stages of a compilation are none."""
    if text and text not in STAGES:
        note(text)


def _bar(count: Count) -> Listener:
    return lambda made: count(f"{made.phase}: loss {made.loss:.4f}", made.step, made.steps)


def _lines() -> Listener:
    """Lines whose time left goes by the steps since the first one that was told: that one compiles, or follows a checkpoint."""
    said, begun = time.monotonic(), (0.0, 0)

    def listen(made: Progress) -> None:
        nonlocal said, begun
        now = time.monotonic()
        begun = begun if begun[1] else (now, made.step)
        if now - said < SECONDS and made.step < made.steps:
            return
        said, steps = now, made.step - begun[1]
        left = f", about {(now - begun[0]) / steps * (made.steps - made.step):.0f} s left" if steps else ""
        note(f"{made.phase}: step {made.step} of {made.steps}, loss {made.loss:.4f}{left}")

    return listen
