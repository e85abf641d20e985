"""What is recorded of a decision."""

from __future__ import annotations

import pytest

from edgeopt.forms.form import FLOAT
from edgeopt.search.result import LOSES, UNTRIED, Decision, record
from edgeopt.search.timing import Profile


@pytest.mark.parametrize(("late", "reason"), [(False, LOSES), (True, UNTRIED)])
def test_a_layer_that_there_was_no_time_to_try_is_not_said_to_lose_too_much(late: bool, reason: str) -> None:
    costs = dict.fromkeys((FLOAT, "result"), Profile(1.0, 1, 1, True))
    found = Decision([], "", "w8a8", {"kept": FLOAT, "changed": "w8a8"}, ("kept",), costs=costs, late=late)
    assert [row["reason"] for row in record(found)["layers"]] == [reason, ""]
