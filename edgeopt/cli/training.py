"""How far a training is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from edgeopt.cli.console import note

if TYPE_CHECKING:
    from edgeopt.training.train import Listener, Progress

SECONDS = 10.0  # between two lines


@contextmanager
def shown() -> Iterator[Listener]:
    """A listener that shows the phase, the loss and the time left on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, auto_refresh=False, transient=True) as bar:
        task = bar.add_task("preparing", total=None)

        def listen(made: Progress) -> None:
            text = f"{made.phase}: loss {made.loss:.4f}"
            bar.update(task, description=text, completed=made.step, total=made.steps, refresh=made.step % 10 == 0)

        yield listen


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
