"""How far a compilation has come, for whoever listens: the stage it is in, and the share of all the work that is done.

What works says ``stage`` and goes through its items with ``each``; stages and items lie in one another. The shares of stages are
what they take of -O3 on a network of some size; a stage that comes again, as when a search goes on, takes nothing back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Listener = Callable[[str, float], None]  # a stage, and the share from 0 to 1

LOGGER = logging.getLogger("edgeopt")
STAGES = {  # percent of the time, about; chosen by hand
    "reading and optimising": 3,
    "running the float network": 7,
    "choosing how to approximate": 40,
    "timing layers": 10,
    "verifying on the samples": 32,
    "fitting early exits": 3,
    "generating code": 5,
}


@dataclass
class _Work:
    """What is listened to: the stage, and the part of the whole that what runs now takes up."""

    listener: Listener
    stage: str = ""
    low: float = 0.0
    high: float = 1.0
    told: float = 0.0

    def enter(self, low: float, high: float) -> None:
        self.low, self.high, self.told = low, high, max(self.told, low)
        self.listener(self.stage, self.told)


_LISTENED: ContextVar[_Work | None] = ContextVar("listened", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """``listener`` is told of all that is worked on in this context and this thread; None leaves it to who listens already."""
    if listener is None:
        yield
        return
    token = _LISTENED.set(_Work(listener))
    try:
        yield
    finally:
        _LISTENED.reset(token)


def stage(name: str) -> None:
    """One of ``STAGES`` begins; the logger "edgeopt" says so, too."""
    LOGGER.info(name)
    work = _LISTENED.get()
    if work is not None:
        names = list(STAGES)
        before, total = sum(STAGES[n] for n in names[: names.index(name)]), sum(STAGES.values())
        work.stage = name
        work.enter(before / total, (before + STAGES[name]) / total)


def news(text: str) -> None:
    """Something of the stage that goes on: nothing is further by it, but whoever waits sees that the work goes on."""
    work = _LISTENED.get()
    if work is not None:
        work.listener(f"{work.stage}: {text}" if work.stage else text, work.told)


def onward(part: float = 0.1) -> None:
    """One of nobody knows how many items is done: that is a ``part`` of what was left of what is worked on now."""
    work = _LISTENED.get()
    if work is not None:
        work.enter(work.low + part * (work.high - work.low), work.high)


def each(items: Sequence[Item]) -> Iterator[Item]:
    """The ``items``, each of which takes an equal share of what is worked on now."""
    work = _LISTENED.get()
    if work is None:
        yield from items
        return
    low, high = work.low, work.high
    width = (high - low) / max(1, len(items))
    for index, item in enumerate(items):
        work.enter(low + index * width, low + (index + 1) * width)
        yield item
    work.enter(high, high)
