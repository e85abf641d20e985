"""Allocation under several bounds, against every combination there is; and what is said of bounds that cannot be kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.compiler import _facts
from edgeopt.errors import EdgeoptError
from edgeopt.options import Options
from edgeopt.runtime.budget import MemoryBudget, TooLarge
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.allocate import Option, Problem, cheapest, cost, mildest, nearest
from edgeopt.search.joint import loosened
from edgeopt.search.limits import Figures, Infeasible, Limits, amount, infeasible, parse_energy, parse_time
from edgeopt.target import target
from edgeopt.within_limits import within_limits

REST: Figures = {"latency": 1.0, "size": 2.0, "memory": 0.0}
CODED = "codes at the interface and coded weights take less, where not asked for yet"
WEIGHTS: Figures = {"latency": 1.0, "size": 0.05}


def problem(table: list[list[tuple[int, int, int, int]]], limits: Limits) -> Problem:
    """Layers of options (error, seconds, bytes, RAM)."""
    options = {
        f"l{i}": [Option(float(e), {"latency": float(t), "size": float(s), "memory": float(m)}) for e, t, s, m in row]
        for i, row in enumerate(table)
    }
    return Problem(options, REST, limits, WEIGHTS)


def test_an_option_that_another_one_beats_is_not_looked_at() -> None:
    asked = problem([[(1, 5, 5, 5), (2, 5, 5, 5), (3, 4, 6, 5), (1, 5, 5, 5), (0, 9, 9, 9)]], Limits())
    assert [place for _, place in asked.open] == [0, 2, 3, 4], "of equal ones both stay"


def every(asked: Problem) -> list[dict[str, int]]:
    return [dict(zip(asked.options, p, strict=True)) for p in product(*(range(len(o)) for o in asked.options.values()))]


def kept(asked: Problem, most: float = inf) -> list[dict[str, int]]:
    return [p for p in every(asked) if not asked.limits.exceeded(asked.takes(p)) and asked.error(p) <= most]


whole = st.integers(1, 9)
tables = st.lists(st.lists(st.tuples(whole, whole, whole, whole), min_size=1, max_size=4), min_size=1, max_size=4)
bounds = st.one_of(st.none(), st.integers(3, 40))


@settings(deadline=None, max_examples=40)
@given(table=tables, latency=bounds, size=bounds, memory=st.one_of(st.none(), st.integers(1, 9)), most=st.integers(1, 40))
def test_it_is_the_best_of_all_combinations(
    table: list[list[tuple[int, int, int, int]]], latency: int | None, size: int | None, memory: int | None, most: int
) -> None:
    asked = problem(table, Limits(latency, size, memory))
    found, possible = cheapest(asked, most), kept(asked, most)
    assert (found is None) == (not possible)
    if found is not None:
        assert found in possible
        assert cost(asked, found) <= min(cost(asked, p) for p in possible) * (1 + 2e-3)
    gentle, possible = mildest(asked), kept(asked)
    assert (gentle is None) == (not possible)
    assert gentle is None or asked.error(gentle) <= min(map(asked.error, possible)) * (1 + 2e-3)


def test_the_nearest_network_exceeds_the_tightest_bound_least() -> None:
    table = [[(0, 9, 9, 9), (5, 2, 9, 4), (5, 9, 2, 4)], [(0, 9, 9, 9), (1, 4, 4, 4)]]
    asked = problem(table, Limits(latency=4.0, size=4.0))
    assert cheapest(asked) is None
    found = nearest(asked)
    assert found is not None
    worst = {repr(p): max([1.0, *asked.limits.exceeded(asked.takes(p)).values()]) for p in every(asked)}
    assert worst[repr(found)] == min(worst.values())


def test_an_option_without_a_finite_error_is_never_taken() -> None:
    asked = Problem(
        {"a": [Option(inf, {"latency": 0.0}), Option(1.0, {"latency": 9.0})]}, {"latency": 0.0}, Limits(), {"latency": 1.0}
    )
    assert cheapest(asked) == {"a": 1}


def test_a_bound_that_cannot_be_kept_is_named_with_the_nearest_point() -> None:
    limits = Limits(latency=2e-3, size=1e6)
    takes: Figures = {"latency": 3e-3, "size": 5e5}
    text = str(infeasible(limits, takes, 0.4, 1.0))
    assert "max_latency 2 ms cannot be kept within max_drop 1" in text and "takes 3 ms, 500 kB stored at a loss of 0.40" in text
    assert "max_size" not in text


@pytest.mark.parametrize(("text", "seconds"), [("20ms", 0.02), ("1.5 s", 1.5), ("5m", 300.0), ("800us", 8e-4)])
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["20", "ms", "-1ms", "0ms", "1e3ms", "5 mJ"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(EdgeoptError, match="is no time"):
        parse_time(text)


def test_energies() -> None:
    assert parse_energy("5mJ") == pytest.approx(5e-3) and parse_energy("2 J") == 2.0
    with pytest.raises(EdgeoptError, match="is no energy"):
        parse_energy("5ms")


def test_a_bound_of_ram_that_sums_cannot_keep_is_left_to_the_finished_program() -> None:
    asked = problem([[(1, 1, 1, 9), (3, 1, 1, 7)], [(1, 1, 1, 5)]], Limits(memory=4.0))
    assert mildest(asked) is None
    loose = loosened(asked)
    assert loose.limits.memory == pytest.approx(1.01 * 7) and cheapest(loose) == {"l0": 1, "l1": 0}
    assert loosened(problem([[(1, 1, 1, 3)]], Limits(memory=4.0))).limits.memory == 4.0


def attempted(*made: Exception, end: float | None = None) -> str:
    """What is said of 4 kB of flash where attempts to compile, one after the other, end so."""
    attempts = iter(made)

    def make(limits: Limits) -> CompiledModel:
        raise next(attempts)

    with pytest.raises(Infeasible) as found:
        within_limits(Limits(size=4000), 1.0, target("cortex-m4"), [make], end)
    return str(found.value)


def too_large(flash: int, before: float, after: float) -> TooLarge:
    """A network that is too large for its board, of whose flash 2000 bytes are code that sums over layers do not hold."""
    error = TooLarge("too large", MemoryBudget(flash - 2000, 0, 2000, 40, 0, 0, 0, 0))
    total = {"seconds": 1e-3, "joule": 0.0}
    tried = [{"size": flash - 2000.0, "memory": 40.0}]
    error.record = {"totals": {"result": total}, "before": before, "after": after, "tried": tried}
    return error


def test_what_is_said_of_a_bound_is_what_compiled_networks_take() -> None:
    """The first network is too large for the board, no smaller one is within the budget, and the nearest is compiled."""
    refused = infeasible(Limits(size=4000), REST, 2.0, 1.0)
    said = attempted(too_large(5000, 90.0, 89.5), refused, too_large(4501, 90.0, 89.25))
    assert said.startswith(
        "max_flash 4 kB of flash cannot be kept within max_drop 1: the nearest network found takes 1 ms, 4.501"
    )
    assert said.endswith(f"at a loss of 0.75 points; raise the bound or max_drop; {CODED}")
    said = attempted(too_large(5000, 90.0, 89.5), refused, too_large(4501, 90.0, 89.25), end=0.0)
    assert said.endswith(f"raise the bound or max_drop, or search_time, which was over; {CODED}")


def test_bounds_of_sums_are_drawn_in_by_what_these_do_not_hold() -> None:
    asked = list[Limits]()

    def make(limits: Limits) -> CompiledModel:
        asked.append(limits)
        raise too_large(5000 if len(asked) == 1 else 4500, 90.0, 90.0)

    with pytest.raises(Infeasible, match="takes 1 ms, 4.5 kB"):
        within_limits(Limits(size=4000), 1.0, target("cortex-m4"), [make])
    assert asked == [Limits(size=4000), Limits(size=2000), Limits(size=2000, stretched=True)]


def test_figures_can_be_asked_for() -> None:
    assert amount("size", 12345.0) == "12.345 kB stored" and amount("memory", 100.2) == "0.101 kB of RAM"
    assert amount("latency", 1.23401e-3) == "1.235 ms" and amount("latency", 2e-3) == "2 ms" and amount("energy", 0.0) == "0 mJ"


@pytest.mark.parametrize("value", [3.2e-8, 1.2345e-10, 1e-15, 9.9996e-5, 0.5, 12.3456, 99.9996, 123456.7])
def test_figures_of_any_magnitude_can_be_asked_for(value: float) -> None:
    assert value * (1 - 1e-6) <= parse_energy(amount("energy", value)) <= 1.001 * value + 1e-12
    assert value * (1 - 1e-6) <= parse_time(amount("latency", value)) <= 1.001 * value + 1e-12


def test_of_two_bounds_of_bytes_the_smaller_one_counts() -> None:
    board, small = target("cortex-m4"), Options(max_size=300_000, max_flash=20_000)
    assert small.limits(_facts("cortex-m4", small, 3)) == Limits(size=20_000)
    assert Options(max_size=300_000).limits(replace(board, flash=20_000)) == Limits(size=20_000)
    assert _facts(replace(board, flash=20_000), Options(max_size=300_000), 3).flash == 20_000
    assert _facts("cortex-m4", Options(max_size=5000), 1).flash == 5000  # which the linker holds, on any level
