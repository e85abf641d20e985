"""How far a training is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
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
