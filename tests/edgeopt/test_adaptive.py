"""Threads are used where they pay, and cost next to nothing where they do not."""

from __future__ import annotations

from edgeopt.codegen.adaptive import LONGEST, ThreadChoice


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


def test_one_thread_stays_one() -> None:
    choice = ThreadChoice()
    choice.record(1, 1.0)
    assert choice.threads(1) == 1
