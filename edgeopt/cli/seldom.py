"""The collector of cycles, which looks seldom while a command works: of a million objects hardly any lie in cycles.

Looking through all of them again and again would take a fifth of a compilation.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 10, 10)  # new objects from which the young ones are looked through, and how often the older ones


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Until the block ends, when all is as it was."""
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def imported() -> None:
    """What is there now is code that stays: leave it out of every look from here on."""
    gc.freeze()
