"""Networks whose layers are all alike beside what a joint search found: the cheapest that keeps bounds and budget is taken."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgeopt.forms.form import EXACT, Choice, Form
from edgeopt.search.alike import alike, at_least_alike, look_first, unchanged
from edgeopt.search.allocate import Option, Picked, Problem
from edgeopt.search.limits import Limits

SMALL, MIDDLE, BOTH = (
    frozenset(Form("quantize", key) for key in keys.split()) for keys in ("w4a8", "w8a8", "w4a8 w8a8")
)  # the last stands for forms of two techniques
CHOICES: list[Choice] = [EXACT, SMALL, MIDDLE, BOTH]
LOST = {EXACT: 0.0, SMALL: 3.0, MIDDLE: 0.5, BOTH: 0.1}


def table() -> Any:
    return SimpleNamespace(takes=dict.fromkeys(CHOICES), choices={"a": CHOICES, "b": [EXACT, SMALL, MIDDLE]})


def problem(most: float | None = None) -> Problem:
    options = [Option(error, {"size": size}) for error, size in ((0.0, 8.0), (4.0, 2.0), (1.0, 4.0), (1.0, 1.0))]
    return Problem({"a": options, "b": options[:3]}, {"size": 0.0}, Limits(size=most), {"size": 1.0})


class Trials:
    """What is lost is that of the worst layer; which networks were tried is kept."""

    def __init__(self, late: bool = False) -> None:
        self.space, self.tried = SimpleNamespace(goal=SimpleNamespace(max_drop=1.0, late=late)), list[list[Choice]]()

    def bounded(self, forms: dict[str, Choice], whenever: bool = False) -> float:
        if self.space.goal.late and not whenever and not self.known(forms):
            return float("inf")
        self.tried.append(list(forms.values()))
        return max(LOST[choice] for choice in forms.values())

    def known(self, forms: dict[str, Choice]) -> bool:
        return list(forms.values()) in self.tried

    def measured(self) -> list[list[Choice]]:
        return self.tried


@pytest.mark.parametrize(
    ("found", "most", "late", "wanted", "tried"),
    [
        ({"a": 0, "b": 2}, None, False, {"a": 2, "b": 2}, [[MIDDLE, MIDDLE]]),  # the smaller one is expected to lose too much
        ({"a": 3, "b": 2}, None, False, {"a": 3, "b": 2}, [[SMALL, SMALL]]),  # what was found is cheaper than all in the other
        ({"a": 0, "b": 2}, 7.0, False, {"a": 0, "b": 2}, []),  # that is beyond the bound
        ({"a": 0, "b": 0}, None, True, {"a": 2, "b": 2}, [[MIDDLE, MIDDLE]]),  # the mildest one, whatever the time
        ({"a": 0, "b": 2}, None, True, {"a": 0, "b": 2}, []),
    ],
)
def test_the_cheapest_that_keeps_bounds_and_budget(
    found: Picked, most: float | None, late: bool, wanted: Picked, tried: list[list[Choice]]
) -> None:
    trials = Trials(late)
    assert at_least_alike(problem(most), cast(Any, trials), table(), found) == wanted
    assert trials.tried == tried


@pytest.mark.parametrize(("axis", "tried"), [("values", [[SMALL, SMALL], [MIDDLE, MIDDLE]]), ("storage", [[MIDDLE, MIDDLE]])])
def test_what_has_the_smallest_margin(axis: str, tried: list[list[Choice]]) -> None:
    """All forms of values; of what only changes how weights are stored, which has many forms, the mildest."""
    trials = Trials()
    trials.space.sessions = [SimpleNamespace(technique=SimpleNamespace(name="quantize", axis=axis))]
    start = look_first(problem(), cast(Any, trials), table())
    assert trials.tried == tried and start == {"a": 2, "b": 2}


def test_one_network_is_tried_whatever_the_time() -> None:
    trials = Trials(late=True)
    trials.space.sessions = [SimpleNamespace(technique=SimpleNamespace(name="quantize", axis="values"))]
    look_first(problem(), cast(Any, trials), table())
    assert trials.tried == [[MIDDLE, MIDDLE]]


def test_a_layer_that_must_have_a_form_has_it_in_every_network() -> None:
    asked = problem()
    options = [Option(inf, {"size": 8.0}), asked.options["a"][1]]
    only = SimpleNamespace(takes=table().takes, choices={"a": [EXACT, SMALL], "b": [EXACT, SMALL, MIDDLE]})
    pinned = Problem({"a": options, "b": asked.options["b"]}, asked.rest, asked.limits, asked.weights)
    assert unchanged(pinned, cast(Any, only)) == {"a": 1, "b": 0}
    assert alike(pinned, cast(Any, only), MIDDLE) == {"a": 1, "b": 2}


def test_what_is_known_is_taken_however_far_it_is() -> None:
    near = Problem(
        {"a": [Option(0.0, {"size": 8.0}), Option(0.01, {"size": 7.0}), Option(1.0, {"size": 1.0})]},
        {"size": 0.0},
        Limits(),
        {"size": 1.0},
    )
    known = SimpleNamespace(takes=dict.fromkeys([EXACT, SMALL, MIDDLE]), choices={"a": [EXACT, SMALL, MIDDLE]})
    trials = Trials()
    assert at_least_alike(near, cast(Any, trials), cast(Any, known), {"a": 1}) == {"a": 1} and not trials.tried
    trials.tried = [[MIDDLE]]
    assert at_least_alike(near, cast(Any, trials), cast(Any, known), {"a": 1}) == {"a": 2}
