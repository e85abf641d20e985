"""What a search is for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from edgeopt.target import Target

if TYPE_CHECKING:
    from edgeopt.search.limits import Limits

Objective = Literal["latency", "size", "memory", "energy"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


@dataclass(frozen=True)
class Goal:
    """What is asked for.

    ``max_drop`` is in percentage points. Where ``latency`` is to be small, a layer is left exact that the code for ``target``
    (at ``level``) would run slower, and all are when the network would; likewise for ``memory``, the RAM of activations, and
    ``energy``, which is estimated on every target. Where ``size`` is to be small, all layers start. With ``accept_chance`` a
    float model that is right no more often than guessing does not stop the work. With ``limits``, which may be empty, layers
    are chosen jointly, over all techniques, under all of these bounds at once, and judged with a margin for what samples that
    were not seen would lose; ``end`` is the time by ``time.monotonic`` after which no further trial begins and no further
    form is judged. ``known`` is what a network of another search takes of the objective: one that takes more is not improved
    form by form.
    """

    target: Target
    level: int
    max_drop: float = 1.0
    objective: Objective = "size"
    accept_chance: bool = False
    limits: Limits | None = None
    end: float | None = None
    known: float | None = None

    @property
    def late(self) -> bool:
        """Whether the time for the search is over."""
        return is_over(self.end)


def is_over(end: float | None) -> bool:
    """Whether the time ``end`` by ``time.monotonic`` has come; None never does."""
    return end is not None and time.monotonic() > end
