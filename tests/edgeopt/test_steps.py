"""The steps of a joint search: from networks that are likely to keep the budget to others, until some do not."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from edgeopt.search.allocate import Option, Picked, Problem
from edgeopt.search.joint import MISSES, STEP, climbed
from edgeopt.search.limits import Limits

RUNGS = 12  # forms of the only layer: each takes less, and twice the error
OPTIONS = [Option(STEP**rung, {"size": float(RUNGS - rung)}) for rung in range(RUNGS)]


def searched(
    lost: dict[int, float],
    start: int = 0,
    known: float | None = None,
    solved: list[float] | None = None,
    options: Sequence[Option] = OPTIONS,
) -> tuple[Picked | None, list[int]]:
    """What is found where rungs lose this much, else nothing, and the rungs that were tried; ``solved`` gets what was asked."""
    problem, tried = Problem({"a": list(options)}, {"size": 0.0}, Limits(), {"size": 1.0}), list[int]()

    def bounded(forms: dict[str, int], whenever: bool = False) -> float:
        tried.append(forms["a"])
        return lost.get(forms["a"], 0.0)

    trials: Any = SimpleNamespace(
        space=SimpleNamespace(goal=SimpleNamespace(max_drop=1.0, known=known, objective="size")), bounded=bounded
    )
    table: Any = SimpleNamespace(choices={"a": list(range(len(options)))})

    def solve(most: float) -> Picked:
        if solved is not None:
            solved.append(most)
        return {"a": max(rung for rung, option in enumerate(options) if option.error <= most)}

    made = climbed(problem, trials, table, solve, {"a": start})
    return made[-1] if made else None, tried


def test_sums_that_lead_to_the_same_network_count_once() -> None:
    options = [Option(error, {"size": 3.0 - k}) for k, error in enumerate((1.0, 16.0, 64.0))]
    assert searched({1: 2.0}, options=options) == ({"a": 2}, [0, 1, 2])


def test_all_steps_are_taken_while_the_budget_holds() -> None:
    assert searched({}) == ({"a": RUNGS - 1}, list(range(RUNGS)))


def test_a_network_that_fails_by_chance_is_passed_over_and_no_more_than_that() -> None:
    assert searched({2: 2.0, 4: 2.0, 5: 2.0}) == ({"a": 3}, [0, 1, 2, 3, 4])
    assert MISSES == 2


@pytest.mark.parametrize("start", [0, 3])
def test_the_start_may_fail_too(start: int) -> None:
    failing = dict.fromkeys(range(RUNGS), 2.0)
    assert searched(failing, start) == (None, [start, start + 1])


def test_what_takes_more_than_the_network_of_another_search_is_not_tried() -> None:
    assert searched({}, known=3.5) == ({"a": RUNGS - 1}, [0, 9, 10, 11])


def test_no_more_is_solved_than_is_tried() -> None:
    solved = list[float]()
    found, tried = searched({1: 2.0, 2: 2.0}, solved=solved)
    assert found == {"a": 0} and len(solved) <= 1 + len(tried)  # the farthest one, which bounds the sums, and the steps
