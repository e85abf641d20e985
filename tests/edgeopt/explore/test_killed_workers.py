"""Workers that are killed while they try: the study goes on, and finds what one finds to which nothing happened."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.explore import workers as module
from edgeopt.explore.point import Point
from edgeopt.explore.study import Study
from edgeopt.explore.trial import Subject
from edgeopt.explore.workers import Numbers, Processes, Ray, Workers
from tests.edgeopt.explore.test_study import Here, toy

TRIALS, KILLS = 8, 1


def waits(subject: Subject, numbers: Numbers) -> Point:
    """The first trial of little error says who runs it, and waits to be killed."""
    mark = Path(subject.data) / f"{numbers['error']}"
    if numbers["error"] < -2 and len(list(mark.parent.iterdir())) < KILLS and not mark.exists():
        mark.write_text(f"{os.getpid()} {os.getppid()}")
        time.sleep(60)
    return toy(subject, numbers)


def dies(subject: Subject, numbers: Numbers) -> Point:
    """Kills its own process."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@contextmanager
def killer(folder: Path, which: int) -> Iterator[list[int]]:
    """Kill the processes that are named in the files of ``folder``, or their parents; whom is in the list."""
    killed, over = list[int](), Event()

    def watch() -> None:
        seen = set[Path]()
        while not over.wait(0.02):
            for path in set(folder.iterdir()) - seen:
                if words := path.read_text().split():
                    seen.add(path)
                    killed.append(int(words[which]))
                    os.kill(killed[-1], signal.SIGKILL)

    thread = Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def explored(journal: Path, subject: Subject, opened: Callable[[], Workers], width: int) -> list[Point]:
    """All points of a study, which are proposed by chance as long as they are few."""
    workers = opened()
    try:
        study = Study(journal, subject, 3)
        study.run(workers, width, TRIALS, None, lambda done, point: None)
        return sorted(study.points(), key=lambda point: point.accuracy)
    finally:
        workers.close()


def held(tmp_path: Path, opened: Callable[[], Workers], which: int) -> None:
    """Hold a study whose workers are killed to one without."""
    (tmp_path / "marks").mkdir()
    subject = Subject("m", str(tmp_path / "marks"), None, "host")
    with killer(tmp_path / "marks", which) as killed:
        found = explored(tmp_path / "a", subject, opened, 2)
    assert len(killed) >= KILLS
    assert len(found) == TRIALS and found == explored(tmp_path / "b", subject, Here, 1)


def test_processes_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    held(tmp_path, lambda: Processes(2, waits), 0)


def test_workers_of_ray_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    pytest.importorskip("ray")
    held(tmp_path, lambda: Ray("local", waits), 1)


def test_a_trial_that_always_kills_its_worker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES", 0)
    workers = Processes(1, dies)
    try:
        workers.submit(7, Subject("m", "d", None, "host"), {"error": -1.0})
        with pytest.raises(EdgeoptError, match="died 1 times while trial 7 ran.*fewer --workers"):
            while True:
                workers.finished()
    finally:
        workers.close()
