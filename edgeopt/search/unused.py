"""What a budget says that has no effect, so that nobody believes it had."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.search.goal import Objective
from edgeopt.search.limits import UNITS

if TYPE_CHECKING:
    from edgeopt.search.allowed import Budget


def note_unused(graph: Graph, budget: Budget, level: int, bounds: Iterable[Objective] = (), prefer: bool = False) -> None:
    """Say of what was given for a ``graph`` that is optimised at ``level`` and not approximated that it changes nothing.

    ``bounds`` are those that only a joint search keeps, which is what goes by what one may ``prefer``, too.

    Raises EdgeoptError for a layer to be kept in float that the graph does not have.
    """
    budget.pins.check(graph)
    data = [name for name in ("data", "calibration") if getattr(budget, name) is not None]
    sparse = level >= 2  # weights stored by their nonzero blocks may be what is small
    chosen = {
        "keep_float": budget.pins.floats,
        "profile": budget.profile,
        "objective": budget.objective != "latency" and not sparse and not prefer,
        "prefer": prefer,
    }
    kept = [name for name, other in chosen.items() if other] + [UNITS[name][2] for name in bounds]
    why = "below -O3 and without --quantize every number is kept"
    if data:
        add_note(graph, f"nothing is measured on {' and '.join(data)}: {why}")
    if others := [*kept, *_rules(budget)]:
        add_note(graph, f"{' and '.join(others)} {_has(others)} no effect: {why}")


def note_unmeasured(graph: Graph, budget: Budget) -> None:
    """Say of what is about data that there are none."""
    if others := _rules(budget):
        add_note(graph, f"{' and '.join(others)} {_has(others)} no effect: nothing is calibrated or verified without data")


def _rules(budget: Budget) -> list[str]:
    """What was chosen of how data are used."""
    chosen = {"max_drop": budget.max_drop != 1.0, "method": budget.method != "auto", "accept_chance": budget.accept_chance}
    return [name for name, other in chosen.items() if other]


def _has(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"
