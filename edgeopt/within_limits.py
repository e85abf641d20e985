"""Compilation under several bounds: what was made is measured, and where it takes more than a sum of layers said, made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgeopt.codegen.elf import Elf, archived
from edgeopt.progress import news, stage
from edgeopt.runtime.budget import TooLarge
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.object_code import stored_code
from edgeopt.runtime.reading import WEIGHTS
from edgeopt.search.attempts import keeping, remember
from edgeopt.search.goal import Objective, is_over
from edgeopt.search.limits import BOARD, UNITS, Figures, Infeasible, Limits, infeasible
from edgeopt.search.timing import profiles
from edgeopt.target import Target

ROUNDS = 4  # of searches, each of which finds what the ones before it measured
LEAST = 1e-3  # of a bound, which is left of it where all of it is taken by what no sum of layers holds
LIBRARY = "libmodel.a"
Make = Callable[[Limits], CompiledModel]


@dataclass(frozen=True)
class Attempt:
    """A network that was compiled: what it takes, and the model; None where the target has too little memory for it.

    Of the search that chose it: what the sums over layers say, the points that are lost where that is known, and its digest.
    """

    figures: Figures
    sums: Figures | None
    drop: float | None
    search: str
    model: CompiledModel | None


def within_limits(
    limits: Limits, max_drop: float, target: Target, ways: Sequence[Make], end: float | None = None, blind: bool = False
) -> CompiledModel:
    """What the first of some ``ways`` to compile makes that keeps ``limits``, with its figures; ``end`` as of ``Goal``.

    It is ``blind`` where there are no samples.

    Raises Infeasible for bounds that cannot be kept in any way, with the model that comes nearest of all that were compiled.
    """
    made: list[Attempt] = []
    for make in ways:
        for attempt in _attempts(limits, target, make):
            made.append(attempt)
            if attempt.model is not None and not limits.exceeded(attempt.figures):
                attempt.model.manifest["limits"] = {"given": dict(limits.given), "figures": dict(attempt.figures)}
                return attempt.model
            stage("reading and optimising")
            news("again, with bounds drawn in by what no sum of layers holds")
    nearest = min(made, key=lambda attempt: limits.excess(attempt.figures))
    raise infeasible(limits, nearest.figures, nearest.drop, max_drop, BOARD if target.bare else UNITS, is_over(end), blind)


def _attempts(limits: Limits, target: Target, make: Make) -> Iterator[Attempt]:
    """Networks for bounds that are drawn in by what the one before took more than its layers, then the nearest, and at last

    those that compilations with other bounds ended with, and measured to keep these.
    """
    made: list[tuple[Limits, Attempt]] = []
    drawn = limits
    for _ in range(ROUNDS):
        try:
            found = _attempt(drawn, target, make)
        except Infeasible:
            break
        yield found
        if found.sums is None:  # nothing was looked for
            return
        made.append((drawn, found))
        before, drawn = drawn, _drawn(limits, drawn, found.figures, found.sums)
        if drawn == before:
            break
    drawn = replace(drawn, stretched=True)
    made.append((drawn, _attempt(drawn, target, make)))
    yield made[-1][1]
    searches = [attempt.search for _, attempt in made]  # some of other forms than the first, where these took less
    known = keeping(searches, limits)
    remember(searches, {bounds: attempt.figures for bounds, attempt in made})
    for bounds in known:
        yield _attempt(bounds, target, make)


def _drawn(limits: Limits, drawn: Limits, figures: Figures, sums: Figures) -> Limits:
    """Bounds of sums over layers that are right where ``figures`` exceed ``limits``."""
    over = limits.exceeded(figures)
    bounds = {name: limits.given[name] - figures[name] + sums.get(name, figures[name]) for name in over}
    least = {name: min(drawn.given[name], max(bound, LEAST * limits.given[name])) for name, bound in bounds.items()}
    return replace(drawn, **least)  # type: ignore[arg-type]


def _attempt(drawn: Limits, target: Target, make: Make) -> Attempt:
    """What ``make`` compiles for bounds. Raises Infeasible where it finds nothing to compile."""
    try:
        made = make(drawn)
    except TooLarge as error:  # a microcontroller's linker script would not have it
        took: dict[Objective, float] = {"size": float(error.found.flash), "memory": float(error.found.ram)}
        return Attempt(_costs(error.record) | took, *_searched(error.record), None)
    return Attempt(figures_of(made, target, drawn.energy is not None), *_searched(made.manifest.get("quantization")), made)


def _searched(record: Mapping[str, Any] | None) -> tuple[Figures | None, float | None, str]:
    """What a search knows of the network that it chose: sums over layers, the points that are lost, and its own digest."""
    if record is None:
        return None, None, ""
    drop = None if record["before"] is None else record["before"] - record["after"]
    return (record["tried"][-1] if record["tried"] else None), drop, record.get("search") or ""


def figures_of(made: CompiledModel, target: Target, energy: bool = False) -> dict[Objective, float]:
    """What a compiled model takes: seconds and joule of an inference, bytes of code and weights as stored, bytes of RAM.

    Joule are 0 where they were not estimated, unless ``energy`` counts.
    """
    record, one, level = made.manifest.get("quantization"), {"made": made.graph}, made.manifest["level"]
    if record is None:
        found = profiles(one, target, level)["made"]
        costs: dict[Objective, float] = {"latency": found.seconds, "energy": found.joule}
    else:
        costs = _costs(record)
    if energy and not costs["energy"]:
        costs["energy"] = profiles(one, target, level, energy=True)["made"].joule
    memory = made.manifest.get("memory")  # of a microcontroller all is counted
    if memory is not None:
        return {**costs, "size": memory["flash"], "memory": memory["ram"]}
    arena = made.manifest["arena_bytes"] + made.manifest["scratch_bytes"]
    return {**costs, "size": float(len(made.files[WEIGHTS]) + _code(made)), "memory": float(arena)}


def _costs(record: Mapping[str, Any] | None) -> dict[Objective, float]:
    """Time and energy of what a search chose, where there was one."""
    if record is None:
        return {}
    total = record["totals"]["result"]
    return {"latency": total["seconds"], "energy": total["joule"]}


def _code(made: CompiledModel) -> int:
    """Bytes of code and of the constants in it: for this process as they are stored, of a C library those that are loaded."""
    return Elf(archived(made.files[LIBRARY])).loaded_bytes if LIBRARY in made.files else stored_code(made.files)
