"""Threads are used where they pay, and cost next to nothing where they do not."""

from __future__ import annotations

import pytest

from edgeopt.codegen.adaptive import LONGEST, REFRESH, SHORTEST, ThreadChoice


def total(alone: float, together: float, runs: int) -> float:
    """Seconds of ``runs`` runs that take ``alone`` on one thread and ``together`` on two."""
    choice, spent = ThreadChoice(), 0.0
    for _ in range(runs):
        used = choice.threads(2)
        seconds = alone if used == 1 else together
        choice.record(used, seconds)
        spent += seconds
    return spent


def test_a_second_core_that_is_free_is_used() -> None:
    assert total(1.0, 0.5, 1000) < 0.53 * 1000


def test_a_second_core_that_is_busy_costs_little() -> None:
    assert total(1.0, 2.0, 1000) < 1.05 * 1000


def test_threads_come_back_when_the_core_is_free_again() -> None:
    choice = ThreadChoice()
    for _ in range(500):
        used = choice.threads(2)
        choice.record(used, 1.0 if used == 1 else 2.0)
    recent = []
    for _ in range(4 * LONGEST):
        used = choice.threads(2)
        choice.record(used, 1.0 if used == 1 else 0.5)
        recent.append(used)
    assert recent[-LONGEST:].count(2) > 0.9 * LONGEST


@pytest.mark.parametrize("slow", [{10}, {3}, {100, 101}, set(range(5, 1000, 4))], ids=["one", "early", "two", "every fourth"])
def test_single_slow_runs_change_nothing(slow: set[int]) -> None:
    choice, used = ThreadChoice(), []
    for run in range(1000):
        used.append(choice.threads(2))
        choice.record(used[-1], 1.0 if used[-1] == 1 else 20.0 if run in slow else 0.6)
    assert used.count(1) <= 1 + 1000 // REFRESH


def test_a_slow_run_on_one_thread_changes_nothing() -> None:
    choice = ThreadChoice()
    for _ in range(4 * REFRESH):
        used = choice.threads(2)
        choice.record(used, 1.0 if used == 1 else 0.6)
    choice.record(1, 50.0)
    lost = []
    for _ in range(20):  # the core is busy from here on
        lost.append(choice.threads(2))
        choice.record(lost[-1], 1.0 if lost[-1] == 1 else 2.0)
    assert lost.count(1) >= SHORTEST


def test_a_burst_is_soon_forgotten() -> None:
    choice, used = ThreadChoice(), []
    for run in range(200):
        used.append(choice.threads(2))
        choice.record(used[-1], 1.0 if used[-1] == 1 else 3.0 if 50 <= run < 60 else 0.6)
    assert used[70:].count(2) > 0.9 * len(used[70:])


def test_one_thread_stays_one() -> None:
    choice = ThreadChoice()
    choice.record(1, 1.0)
    assert choice.threads(1) == 1
