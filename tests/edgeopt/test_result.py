"""What is recorded of a decision."""

from __future__ import annotations

import pytest

from edgeopt.forms.form import FLOAT
from edgeopt.search.result import LOSES, UNTRIED, Decision, record
from edgeopt.search.timing import Profile


@pytest.mark.parametrize(
    ("partly", "said"),
    [
        (False, "w8 would take 2 ms against 1 ms; --objective size takes it, weights 0.25 times as large as the model's"),
        (True, "w8 in the layers that gain by it would take 2 ms against 1 ms; --objective size takes all layers"),
    ],
)
def test_bytes_are_told_of_what_would_be_taken(partly: bool, said: str) -> None:
    exact, other = Profile(1e-3, 100, 1, True), Profile(2e-3, 25, 1, True)
    costs = {FLOAT: exact, "result": exact, "rejected": other}
    found = Decision([], "", "w8", {"a": FLOAT}, costs=costs, source=100, partly=partly)
    assert found.summary() == f"left in float: {said}; with --data more forms are tried"


@pytest.mark.parametrize(("late", "reason"), [(False, ""), (True, UNTRIED)])
def test_of_layers_that_stay_in_float_it_is_said_where_there_was_no_time_to_try(late: bool, reason: str) -> None:
    costs = dict.fromkeys((FLOAT, "result"), Profile(1.0, 1, 1, True))
    forms = {"kept": FLOAT, "slow": FLOAT, "changed": "w8a8"}
    found = Decision([], "", "w8a8", forms, ("kept",), costs=costs, late=late)
    assert [row["reason"] for row in record(found)["layers"]] == [LOSES + reason, f"would be slower{reason}", ""]
