"""Explorations: a journal goes on where it ended, and a small network has a front."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.explore.exploration import explore
from edgeopt.explore.point import FIGURES, Point
from edgeopt.explore.study import Study
from edgeopt.explore.trial import Subject, evaluate, measured
from edgeopt.explore.workers import Numbers, Result
from tests.edgeopt.test_exchange import classifier

SUBJECT = Subject("model.onnx", "data.npz", None, "host")


class Here:
    """Trials in this process, one after the other."""

    def __init__(self) -> None:
        self.asked: list[Numbers] = []
        self._waiting: list[Result] = []

    def submit(self, number: int, subject: Subject, numbers: Numbers) -> None:
        self.asked.append(numbers)
        self._waiting.append((number, toy(subject, numbers)))

    def finished(self) -> list[Result]:
        found, self._waiting = self._waiting, []
        return found

    def close(self) -> None: ...


def toy(subject: Subject, numbers: Numbers) -> Point:
    """Less error takes more of everything."""
    fine = -numbers["error"]
    return Point(90 + fine, 1e-3 * fine, 100 * fine, fine, fine, {})


def run(journal: Path, trials: int, seed: int = 0) -> tuple[Here, list[Point]]:
    pytest.importorskip("optuna")
    workers = Here()
    return workers, Study(journal, SUBJECT, seed).run(workers, 1, trials, None, lambda done, point: None)


def test_a_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    first, found = run(tmp_path / "a", 8)
    again, more = run(tmp_path / "a", 12)
    assert (len(first.asked), len(again.asked)) == (8, 4) and len(more) >= len(found)
    assert not [numbers for numbers in again.asked if numbers in first.asked]
    assert run(tmp_path / "b", 8)[0].asked == first.asked and run(tmp_path / "c", 8, 1)[0].asked != first.asked


def test_trials_that_ran_when_it_ended_run_again(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    study = Study(tmp_path / "a", SUBJECT, 0)
    lost = study._study.ask()
    value = lost.suggest_float("error", -5.0, 0.0)
    again, _ = run(tmp_path / "a", 2)
    assert again.asked[0]["error"] == value


def test_a_journal_goes_on_whose_last_line_was_cut(tmp_path: Path) -> None:
    run(tmp_path / "a", 4)
    journal = tmp_path / "a"
    journal.write_bytes(journal.read_bytes()[:-9])
    again, _ = run(journal, 6)
    assert len(again.asked) in (2, 3)
    assert len(Study(journal, SUBJECT, 0).points()) == 6


@pytest.mark.parametrize("content", [b"text", b"text\n", b"[1]\n", b'{"a": 1}\n', b"\xff\x00\n"])
def test_what_is_no_journal_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("optuna")
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(EdgeoptError, match="is no journal of an exploration"):
        Study(tmp_path / "a", SUBJECT, 0)
    assert (tmp_path / "a").read_bytes() == content


def test_the_lock_of_a_journal_leads_to_it_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna looks at a lock that was left behind through its link; of one that leads nowhere it waits for the end for ever."""
    links, made = list[str](), os.symlink

    def linked(source: str, link: str) -> None:
        links.append(source)
        made(source, link)

    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "symlink", linked)
    run(Path("sub/a"), 1)
    assert set(links) == {str(tmp_path.resolve() / "sub/a")}


def test_a_journal_of_another_subject_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "a", 1)
    with pytest.raises(EdgeoptError, match="journal of another exploration"):
        Study(tmp_path / "a", Subject("other.onnx", "data.npz", None, "host"), 0)


def test_without_optuna_the_message_says_what_to_install(tmp_path: Path) -> None:
    lines = ["import sys; sys.modules['optuna'] = None", "from edgeopt.explore.study import Study", "Study(None, None, 0)"]
    code = "\n".join(lines)
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'edgeopt[explore]'" in made.stderr


def test_the_library_explores_whatever_was_imported_before() -> None:
    lines = ["import edgeopt, edgeopt.explore.choice", "edgeopt.explore('no.onnx', 'no.npz')"]
    made = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert "EdgeoptError" in made.stderr and "no.onnx" in made.stderr


def test_a_small_network_has_a_front(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    model, data = classifier()
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert data.labels is not None
    np.savez(tmp_path / "d.npz", labels=data.labels, x=data.arrays["x"])
    found = explore(path, tmp_path / "d.npz", trials=6, journal=tmp_path / "j", seed=1)
    assert found.trials == 6 and 1 <= len(found.points) <= 6
    assert min(p.size for p in found.points) < found.exact.size / 3
    assert all(p.measured and p.latency > 0 for p in found.points)
    assert {name for name in FIGURES if getattr(found.exact, name) <= 0} == set()
    assert explore(path, tmp_path / "d.npz", trials=6, journal=tmp_path / "j", seed=1).trials == 6
    np.savez(tmp_path / "d.npz", labels=data.labels, x=data.arrays["x"] + np.float32(1e-3))
    with pytest.raises(EdgeoptError, match="j' is the journal of another network, of other samples that"):
        explore(path, tmp_path / "d.npz", trials=8, journal=tmp_path / "j", seed=1)


def test_points_have_the_ram_of_the_whole_network_before_they_are_measured(tmp_path: Path) -> None:
    model, data = classifier()
    path, labels = tmp_path / "m.onnx", data.labels
    path.write_bytes(model.SerializeToString())
    assert labels is not None
    np.savez(tmp_path / "d.npz", labels=labels, x=data.arrays["x"])
    subject = Subject(str(path), str(tmp_path / "d.npz"), None, "cortex-m4")
    point = evaluate(subject, {"error": 0.0, "latency": 0.0, "size": 0.0, "energy": 0.0, "memory": 0.0})
    assert not point.measured and point.memory == measured(subject, point).memory
