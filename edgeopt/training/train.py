"""A training: its phases one after the other, with a checkpoint now and then, and word of how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeopt.progress import news
from edgeopt.training import checkpoint
from edgeopt.training.checkpoint import Checkpoint, Store
from edgeopt.training.layers import Layers
from edgeopt.training.loop import Loop, Task
from edgeopt.training.pace import paced
from edgeopt.training.phase import Phase

SMOOTH = 0.2  # of a loss that is shown, which the last one that was looked at has
LOOKED_AT = 8  # steps after which the loss is waited for; meanwhile the next ones are prepared


@dataclass(frozen=True)
class Progress:
    """After ``step`` of ``steps``, in a phase of this kind."""

    phase: str
    step: int
    steps: int
    loss: float


Listener = Callable[[Progress], None]


@dataclass(frozen=True)
class Ended:
    """A phase of this kind that was trained for ``done`` of its ``steps``."""

    phase: str
    steps: int
    done: int


def train(
    phases: Sequence[Phase],
    layers: Layers,
    task: Task,
    steps: int,
    store: Store | None = None,
    listener: Listener | None = None,
    minutes: float | None = None,
) -> tuple[Ended, ...]:
    """Train ``layers`` in ``phases`` that share ``steps``, each from where the last one ended; how many steps each of them took.

    There are fewer where so many do not fit into ``minutes``. Each phase has a checkpoint of its own, from which it goes on, or
    is finished again: a run that was killed gives the same numbers as one that was not.
    """
    first, ended = 0, list[Ended]()
    for index, phase in enumerate(phases):
        loop = Loop(phase, layers, task, counts(phases, steps)[index])
        if index == 0 and minutes is not None:
            steps = paced(loop, steps, minutes, store)
            loop.steps = counts(phases, steps)[index]
        place = None if store is None else _place(store, index)
        if store is not None and place is not None and (saved := checkpoint.read(place, store.identity)) is not None:
            checkpoint.require_like(place, saved, loop.saved())
            loop.restore(saved.arrays, saved.step)
            if not _place(store, index + 1).exists():
                news(f"goes on from step {first + saved.step} of {steps}")
        _run(loop, first, steps, store, place, listener)
        loop.finish()
        first += loop.steps
        ended.append(Ended(loop.kind, loop.steps, loop.done))
    return tuple(ended)


def _place(store: Store, index: int) -> Path:
    return store.folder / f"phase-{index}.npz"


def counts(phases: Sequence[Phase], steps: int) -> list[int]:
    """The steps of each phase."""
    total = sum(phase.share for phase in phases)
    return [max(1, round(steps * phase.share / total)) for phase in phases]


def _run(loop: Loop, first: int, steps: int, store: Store | None, place: Path | None, listener: Listener | None) -> None:
    shown, written = 0.0, time.monotonic()
    while not loop.over:
        loss = loop.step(first + loop.done)
        due = loop.over or (store is not None and time.monotonic() - written > store.seconds)
        if due or not shown or loop.done % LOOKED_AT == 1:  # the first one, too, of a training that goes on
            last = loop.finite(loss)
            shown = shown + SMOOTH * (last - shown) if shown else last
        if listener is not None:
            listener(Progress(loop.kind, first + loop.done, steps, shown))
        if store is not None and place is not None and due:
            checkpoint.write(place, Checkpoint(store.identity, loop.done, loop.saved()))
            written = time.monotonic()
