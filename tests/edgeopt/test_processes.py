"""Work shared with forked processes: every result in its place, whatever becomes of a child; nothing is left behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import numpy as np
import pytest

import edgeopt
from edgeopt import children
from edgeopt.codegen import build, kernel_text, processes
from edgeopt.codegen.processes import shared
from edgeopt.runtime.object_code import code_of
from tests.edgeopt import small_models

PARENT = os.getpid()


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(processes, "cores", lambda: 2)
    monkeypatch.setattr(children, "cores", lambda: 2)
    if "threads" not in request.node.name:  # other tests may have left a model's workers, which are parked
        monkeypatch.setattr(processes, "may_fork", lambda: True)


def _children() -> list[int]:
    """The children that nobody has waited for."""
    try:
        return [os.waitpid(-1, os.WNOHANG)[0]]
    except ChildProcessError:
        return []


def _tasks(count: int) -> list[Callable[[], str]]:
    return [lambda i=i: f"{i} {'x' * 1000 * i} {os.getpid()}" for i in range(count)]  # type: ignore[misc]


def test_results_are_in_their_places_and_made_elsewhere() -> None:
    made = [text.split() for text in shared(_tasks(200))]
    assert [int(words[0]) for words in made] == list(range(200))
    assert all(len(words) == 2 or len(words[1]) == 1000 * i for i, words in enumerate(made))
    assert str(PARENT) not in {words[-1] for words in made} and not _children()


@pytest.mark.parametrize("count", [0, 1, processes.FEWEST - 1])
def test_a_few_tasks_are_done_here(count: int) -> None:
    assert {text.split()[-1] for text in shared(_tasks(count))} <= {str(PARENT)}


def test_a_process_with_threads_does_not_fork() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert {text.split()[-1] for text in shared(_tasks(10))} == {str(PARENT)}
    finally:
        done.set()
        thread.join()


def test_what_a_killed_child_leaves_is_done_here() -> None:
    def fatal() -> str:
        if os.getpid() != PARENT:
            os.kill(os.getpid(), signal.SIGKILL)
        return "here"

    assert shared([*_tasks(4), fatal, fatal])[4:] == ["here", "here"]
    assert not _children()


def test_an_error_of_a_task_is_raised_here() -> None:
    def wrong() -> str:
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        shared([*_tasks(6), wrong])


def test_an_interruption_ends_the_children(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(sources: object) -> dict[int, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "_collected", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shared([lambda: str(threading.Event().wait())] * 6)  # would never end
    assert not _children()


def test_the_object_does_not_depend_on_the_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "read", lambda name: None)
    objects = []
    for cores in (1, 2):
        monkeypatch.setattr(processes, "cores", lambda cores=cores: cores)
        monkeypatch.setattr(kernel_text, "_CAPTURED", {})
        model = edgeopt.compile(small_models.convolution(), level=2)
        objects.append(code_of(model.files))
    assert objects[0] == objects[1]
    assert np.isfinite(model.run({"x": np.ones((1, 3, 8, 8), np.float32)})["y"]).all()
