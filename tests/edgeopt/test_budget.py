"""The choice under a budget: everything when it fits, the worst layers back when not, nothing given back in vain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgeopt.search.budget import Candidate, choose


def choice_of(drops: dict[str, float], max_drop: float) -> tuple[set[str], list[frozenset[str]]]:
    """The layers kept where drops add up, and every set that was measured."""
    asked: list[frozenset[str]] = []

    def measure(layers: frozenset[str]) -> float:
        asked.append(layers)
        return sum(drops[name] for name in layers)

    found = choose(list(drops), lambda: [Candidate(n, 1.0, d) for n, d in drops.items()], measure, max_drop)
    assert found.drop == sum(drops[name] for name in found.kept)
    assert sorted([*found.kept, *found.given_back]) == sorted(drops)
    return set(found.kept), asked


def test_everything_is_kept_when_it_fits() -> None:
    kept, asked = choice_of({"a": 0.1, "b": 0.2}, 1.0)
    assert kept == {"a", "b"} and len(asked) == 1


def test_the_worst_layer_goes_back() -> None:
    kept, _ = choice_of({"a": 0.1, "b": 5.0, "c": 0.2}, 1.0)
    assert kept == {"a", "c"}


@given(drops=st.lists(st.integers(0, 20), min_size=1, max_size=12), budget=st.integers(0, 30))
def test_the_budget_holds_and_no_fewer_would_do(drops: list[int], budget: int) -> None:
    named = {f"l{i}": float(d) for i, d in enumerate(drops)}
    kept, asked = choice_of(named, float(budget))
    assert sum(named[name] for name in kept) <= budget
    back = sorted((d for n, d in named.items() if n not in kept), reverse=True)
    assert not back or sum(named[n] for n in kept) + back[-1] > budget
    assert len(asked) <= 2 + 2 * len(drops).bit_length()


def test_saving_decides_between_equal_errors() -> None:
    sizes = {"small": 1.0, "large": 100.0}
    found = choose(list(sizes), lambda: [Candidate(n, s, 1.0) for n, s in sizes.items()], lambda layers: float(len(layers)), 1.0)
    assert found.kept == ("large",)
