"""What the user allows of a network that may be approximated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edgeopt import arguments
from edgeopt.forms.registry import restructuring
from edgeopt.search.goal import Goal, Objective
from edgeopt.search.ladders import names
from edgeopt.search.limits import Limits
from edgeopt.search.pins import Pins
from edgeopt.search.recipe import CODEWORDS, JOINT, SMALLEST, Recipe, read_recipe
from edgeopt.search.samples import Data
from edgeopt.target import Target


@dataclass(frozen=True)
class Budget:
    """What the user allows. ``data`` is for evaluation; when ``calibration`` is not given, a seeded part of it calibrates.

    ``forms`` names techniques or single forms that are wanted in any case. Without, it is what -O3 tries on its own, where the
    target does not get slower by it (or take more RAM or energy, as the ``objective`` says); or everywhere, and with data what
    makes weights smallest, when ``objective`` is ``size``.
    Without data techniques whose first forms go far start with their mildest. ``method`` is the rule of ranges. ``profile``
    names the runtime that reads the ``standard`` output. With ``accept_chance`` a float model that is right no more often than
    guessing does not stop the work. A ``recipe`` says all that there is to try, in place of ``forms``. ``pins``
    say what is asked of single layers. With ``limits``, which may be empty, the forms of all layers are chosen jointly under
    all of them at once, what the objective counts as small as it gets; no trial begins after the time ``end``. ``seed`` draws the
    samples that calibrate, those that choose, and those that only judge. ``known`` is what the network of another search takes of
    the objective.
    """

    data: Data | None = None
    calibration: Data | None = None
    max_drop: float = 1.0
    forms: str | None = None
    objective: Objective = "latency"
    method: str = "auto"
    profile: str | None = None
    accept_chance: bool = False
    recipe: Recipe | None = None
    pins: Pins = field(default_factory=Pins)
    limits: Limits | None = None
    end: float | None = None
    seed: int = 0
    known: float | None = None
    names: dict[str, str] = field(init=False)
    general: frozenset[str] = field(init=False)  # techniques that are not there for single layers alone

    def __post_init__(self) -> None:
        arguments.share("max_drop", self.max_drop)
        found = names(self.forms, self.objective, self.recipe, not self.blind)
        object.__setattr__(self, "names", self.pins.names(found))
        object.__setattr__(self, "general", frozenset(found))

    @property
    def blind(self) -> bool:
        """Whether there are no samples."""
        return self.data is None and self.calibration is None

    def smaller(self) -> list[Budget]:
        """What to allow where a bound of bytes cannot be kept otherwise: bytes alone count then, or forms with less code."""
        if self.blind and self.limits is not None and self.limits.size is not None and self.objective != "size":
            return [replace(self, objective="size")]
        others = {JOINT: SMALLEST, SMALLEST: JOINT}
        if self.recipe is None or self.recipe.name not in others or self.limits is None or self.limits.size is None:
            return []
        return [replace(self, recipe=read_recipe(others[self.recipe.name]), objective="size")]

    def others(self) -> list[Budget]:
        """What to search for besides where it may take less: codewords, where time or energy counts and nothing else is asked."""
        if self.recipe is None or self.recipe.name != JOINT or self.objective not in ("latency", "energy") or self.pins != Pins():
            return []
        return [] if self.blind else [replace(self, recipe=read_recipe(CODEWORDS))]

    def goal(self, target: Target, level: int) -> Goal:
        """What the search is for: what was asked for by name is taken everywhere, unless all is chosen jointly."""
        named = (self.forms is not None or self.recipe is not None) and not restructuring(self.names)[0]
        objective: Objective = "size" if named and self.limits is None else self.objective
        return Goal(target, level, self.max_drop, objective, self.accept_chance, self.limits, self.end, self.known)
