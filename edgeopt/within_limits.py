"""Compilation under several bounds: what was made is measured, and where it takes more than a sum of layers said, made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgeopt.codegen.elf import Elf, archived
from edgeopt.progress import stage
from edgeopt.runtime.budget import TooLarge
from edgeopt.runtime.model import CODE, CompiledModel
from edgeopt.runtime.reading import WEIGHTS
from edgeopt.search.goal import Objective
from edgeopt.search.limits import Infeasible, Limits, infeasible
from edgeopt.search.timing import profiles
from edgeopt.target import Target

ROUNDS = 4  # of searches, each of which finds what the ones before it measured
MARGIN = 1.02  # of what is too much, so that a second round suffices
LIBRARY = "libmodel.a"
Make = Callable[[Limits], CompiledModel]


def within_limits(limits: Limits, max_drop: float, target: Target, ways: Sequence[Make]) -> CompiledModel:
    """What the first of some ``ways`` to compile makes that keeps ``limits``.

    Raises Infeasible for bounds that cannot be kept in any way, with the nearest model of the last one.
    """
    for make in ways[:-1]:
        try:
            return _drawn_in(limits, max_drop, target, make)
        except Infeasible:
            stage("reading and optimising")
    return _drawn_in(limits, max_drop, target, ways[-1])


def _drawn_in(limits: Limits, max_drop: float, target: Target, make: Make) -> CompiledModel:
    """What ``make`` compiles for bounds that are drawn in until the finished model keeps ``limits``, with its figures.

    Raises Infeasible for bounds that cannot be kept, with the nearest model that was made.
    """
    drawn, nearest, drop, judged = limits, dict[Objective, float](), None, False
    for _ in range(ROUNDS):
        try:
            made = make(drawn)
            figures, drop = figures_of(made, target), _drop(made.manifest)
        except TooLarge as error:  # a microcontroller's linker script would not have it
            figures = {"size": float(error.found.flash), "memory": float(error.found.ram)}
        except Infeasible as error:
            if not nearest:
                raise
            judged = error.judged
            break
        over = {
            name: figures[name] - limits.given[name] for name in limits.exceeded({**dict.fromkeys(limits.given, 0.0), **figures})
        }
        if not over:
            made.manifest["limits"] = {"given": dict(limits.given), "figures": figures}
            return made
        nearest = figures
        drawn = Limits(**{name: bound - MARGIN * over.get(name, 0.0) for name, bound in drawn.given.items()})
        if any(bound <= 0 for bound in drawn.given.values()):
            break
        stage("reading and optimising")
    raise infeasible(limits, nearest, drop, max_drop, judged)


def figures_of(made: CompiledModel, target: Target) -> dict[Objective, float]:
    """What a compiled model takes: seconds and joule of an inference, bytes of code and weights as stored, bytes of RAM."""
    record = made.manifest.get("quantization")
    if record is None:
        found = profiles({"made": made.graph}, target, made.manifest["level"])["made"]
        seconds, joule = found.seconds, found.joule
    else:
        seconds, joule = record["totals"]["result"]["seconds"], record["totals"]["result"]["joule"]
    memory = made.manifest.get("memory")  # of a microcontroller all is counted
    if memory is not None:
        return {"latency": seconds, "size": memory["flash"], "memory": memory["ram"], "energy": joule}
    arena = made.manifest["arena_bytes"] + made.manifest["scratch_bytes"]
    return {"latency": seconds, "size": float(len(made.files[WEIGHTS]) + _code(made)), "memory": float(arena), "energy": joule}


def _code(made: CompiledModel) -> int:
    """Bytes of code and of the constants in it."""
    code = archived(made.files[LIBRARY]) if LIBRARY in made.files else made.files[CODE]
    return Elf(bytes(code)).loaded_bytes


def _drop(manifest: Mapping[str, Any]) -> float | None:
    """The percentage points that were lost, where that was measured."""
    record = manifest.get("quantization")
    return None if record is None or record["before"] is None else record["before"] - record["after"]
