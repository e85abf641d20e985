"""What is recorded of a decision."""

from __future__ import annotations

import pytest

from edgeopt.forms.form import FLOAT
from edgeopt.search.result import LOSES, UNTRIED, Decision, record
from edgeopt.search.timing import Profile


@pytest.mark.parametrize(("late", "reason"), [(False, ""), (True, UNTRIED)])
def test_of_layers_that_stay_in_float_it_is_said_where_there_was_no_time_to_try(late: bool, reason: str) -> None:
    costs = dict.fromkeys((FLOAT, "result"), Profile(1.0, 1, 1, True))
    forms = {"kept": FLOAT, "slow": FLOAT, "changed": "w8a8"}
    found = Decision([], "", "w8a8", forms, ("kept",), costs=costs, late=late)
    assert [row["reason"] for row in record(found)["layers"]] == [LOSES + reason, f"would be slower{reason}", ""]
