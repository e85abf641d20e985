"""Work in children: every result in its order, whatever becomes of a child; nothing is left behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from edgeopt import children
from edgeopt.children import apart, in_order

PARENT = os.getpid()


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(children, "cores", lambda: 2)
    if "threads" not in request.node.name:  # other tests may have left a model's workers, which are parked
        monkeypatch.setattr(children, "may_fork", lambda: True)


def _left() -> list[int]:
    """The children that nobody has waited for."""
    try:
        return [os.waitpid(-1, os.WNOHANG)[0]]
    except ChildProcessError:
        return []


def _tasks(count: int) -> list[Callable[[], tuple[int, bytes, int]]]:
    return [lambda i=i: (i, bytes(1000 * i), os.getpid()) for i in range(count)]  # type: ignore[misc]


@pytest.mark.parametrize("count", [0, 1, 2, 101])
def test_results_come_in_their_order_from_elsewhere(count: int) -> None:
    made = list(in_order(_tasks(count)))
    assert [(number, len(data)) for number, data, _ in made] == [(i, 1000 * i) for i in range(count)]
    assert PARENT not in {process for _, _, process in made} and not _left()


def test_a_process_with_threads_does_not_fork() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert {process for _, _, process in in_order(_tasks(5))} == {PARENT}
    finally:
        done.set()
        thread.join()


def test_what_a_killed_child_leaves_is_done_here() -> None:
    def fatal() -> tuple[int, bytes, int]:
        if os.getpid() != PARENT:
            os.kill(os.getpid(), signal.SIGKILL)
        return 7, b"", os.getpid()

    made = list(in_order([*_tasks(4), fatal, *_tasks(4)]))
    assert [number for number, _, _ in made] == [0, 1, 2, 3, 7, 0, 1, 2, 3]
    assert made[4][2] == made[6][2] == PARENT != made[5][2] and not _left()


def test_an_error_is_raised_here_and_ends_the_others() -> None:
    def wrong() -> tuple[int, bytes, int]:
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        list(in_order([*_tasks(3), wrong, *_tasks(50)]))
    assert not _left()


def test_a_task_apart_gives_what_it_makes_and_none_too() -> None:
    assert apart(os.getpid) != PARENT and apart(lambda: None) is None and not _left()
