"""The choice under a budget: the start when it fits, the worst layers in a better form when not, nothing repaired in vain."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from edgeopt.search.budget import Candidate, Choice, choose, ladder

FLOAT = "float32"


def candidates_of(drops: Mapping[str, float], costs: Mapping[str, float] | None = None) -> list[Candidate[str]]:
    cost = costs or dict.fromkeys(drops, 1.0)
    narrow = [Candidate(n, "w8a8", 0.0, d) for n, d in drops.items()]
    return narrow + [Candidate(n, FLOAT, cost[n], 0.0) for n in drops]


def choice_of(drops: Mapping[str, float], max_drop: float) -> tuple[Choice[str], list[dict[str, str]]]:
    """The choice where drops add up, and all forms that were measured."""
    asked: list[dict[str, str]] = []

    def measure(forms: Mapping[str, str]) -> float:
        asked.append(dict(forms))
        return sum(drops[name] for name, form in forms.items() if form != FLOAT)

    found = choose(dict.fromkeys(drops, "w8a8"), lambda: candidates_of(drops), measure, max_drop)
    assert found.drop == measure(found.forms)
    assert set(found.given_back) == {n for n, form in found.forms.items() if form == FLOAT}
    return found, asked


def test_everything_is_kept_when_it_fits() -> None:
    found, asked = choice_of({"a": 0.1, "b": 0.2}, 1.0)
    assert set(found.forms.values()) == {"w8a8"} and len(asked) == 2


def test_the_worst_layer_goes_back() -> None:
    found, _ = choice_of({"a": 0.1, "b": 5.0, "c": 0.2}, 1.0)
    assert found.given_back == ("b",)


@given(drops=st.lists(st.integers(0, 20), min_size=1, max_size=12), budget=st.integers(0, 30))
def test_the_budget_holds_and_no_fewer_would_do(drops: list[int], budget: int) -> None:
    named = {f"l{i}": float(d) for i, d in enumerate(drops)}
    found, asked = choice_of(named, float(budget))
    assert found.drop <= budget
    back = [named[n] for n in found.given_back]
    assert back == sorted(back, reverse=True)
    assert not back or found.drop + back[-1] > budget
    assert len(asked) <= 3 + 2 * len(drops).bit_length()


def test_cost_decides_between_equal_errors() -> None:
    costs = {"small": 1.0, "large": 100.0}
    given_ = candidates_of(dict.fromkeys(costs, 1.0), costs)
    found = choose(dict.fromkeys(costs, "w8a8"), lambda: given_, lambda forms: float(list(forms.values()).count("w8a8")), 1.0)
    assert found.forms == {"small": FLOAT, "large": "w8a8"}


def test_a_layer_climbs_over_forms_that_pay() -> None:
    forms = [Candidate("a", "w8a8", 1.0, 8.0), Candidate("a", "w8a16", 2.0, 1.0), Candidate("a", FLOAT, 4.0, 0.0)]
    poor = [Candidate("a", "w4a16", 1.9, 7.9)]  # lies above the line from w8a8 to w8a16
    assert [s.form for s in ladder({"a": "w8a8"}, forms + poor)] == ["w8a16", FLOAT]
    errors = {c.form: c.error for c in forms}
    found = choose({"a": "w8a8"}, lambda: forms, lambda chosen: errors[chosen["a"]], 2.0)
    assert found.forms == {"a": "w8a16"}
