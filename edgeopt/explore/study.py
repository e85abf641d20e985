"""An exploration: optuna proposes, workers try, a journal keeps every trial."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.explore.point import FIGURES, Point, front, point_of
from edgeopt.explore.trial import RANGES, Subject
from edgeopt.explore.workers import Workers
from edgeopt.files import read_regular
from edgeopt.progress import news

DIRECTIONS = ["maximize", *["minimize"] * (len(FIGURES) - 1)]
STUDY = "edgeopt"
BEGINS = b'{"op_code":'  # each line of a journal
MOST = 1 << 30  # bytes of one
Told = Callable[[int, Point], None]  # how many trials are done, and the last


class Study:
    """Trials in a ``journal``, which goes on where it ended: those that ran when it did run again.

    Proposals are those of NSGA-II (Deb et al., 2002) over the weights of the figures and the sum of errors; with one worker they
    are the same for the same ``seed``. Raises EdgeoptError where optuna is not installed, or the journal is of another subject.
    """

    def __init__(self, journal: Path, subject: Subject, seed: int) -> None:
        self._optuna, self._journal = _imported(), journal
        optuna = self._optuna
        place = journal.resolve()  # of a name that is not whole optuna makes a lock that, left behind, is waited for for ever
        _mend(place)
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(place)))
        asked: dict[str, Any] = {"study_name": STUDY, "directions": DIRECTIONS, "load_if_exists": True}
        self._study, self._subject = optuna.create_study(storage=storage, **asked), subject
        known = len(self._study.get_trials(deepcopy=False))  # a sampler that begins anew would propose the same once more
        drawn = int(np.random.SeedSequence([seed, known]).generate_state(1)[0]) if known else seed
        self._study.sampler = optuna.samplers.NSGAIISampler(seed=drawn, population_size=20)
        other = self._study.user_attrs.get("subject", repr(subject))
        if other != repr(subject):
            raise EdgeoptError(f"'{journal}' is the journal of another exploration: {other}; name another file with -o")
        self._study.set_user_attr("subject", repr(subject))
        self._revive()

    def _revive(self) -> None:
        """Trials that ran when the journal ended are proposed again."""
        state = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            self._study.tell(trial.number, state=state.FAIL)
            if trial.params:
                self._study.enqueue_trial(trial.params)

    def begin(self, contents: str) -> None:
        """Raises EdgeoptError where the journal is of a network, samples or forms with other ``contents``, by the same names."""
        if self._study.user_attrs.get("contents", contents) != contents:
            other = "of another network, of other samples that had the same names, or of an edgeopt with other forms"
            raise EdgeoptError(f"'{self._journal}' is the journal {other}; remove it, or name another file with -o")
        self._study.set_user_attr("contents", contents)

    def points(self) -> list[Point]:
        """All that was found so far."""
        state = self._optuna.trial.TrialState
        return [point_of(t.user_attrs["point"]) for t in self._study.get_trials(deepcopy=False, states=(state.COMPLETE,))]

    def run(self, workers: Workers, width: int, trials: int, end: float | None, told: Told) -> list[Point]:
        """The front after as many ``trials`` in all, ``width`` at a time, or when the time is ``end``; of one trial at least."""
        done, running = len(self.points()), dict[int, Any]()
        while True:
            late = end is not None and time.monotonic() > end and done + len(running) > 0
            while not late and len(running) < width and done + len(running) < trials:
                trial = self._study.ask()
                numbers = {name: trial.suggest_float(name, *bounds) for name, bounds in RANGES.items()}
                running[trial.number] = trial
                workers.submit(trial.number, self._subject, numbers)
            if not running:
                return front(self.points())
            news(f"{done} of {trials} trials are done")
            for number, point in workers.finished():
                trial = running.pop(number)
                trial.set_user_attr("point", point.record())
                self._study.tell(trial, [point.accuracy, *point.figures()[1:]])
                done += 1
                told(done, point)


def _mend(journal: Path) -> None:
    """Cut off a line that was not written to its end, as when the machine went down or the disk was full.

    Raises EdgeoptError for what is no journal.
    """
    if not journal.exists():
        return
    *lines, cut = read_regular(journal, MOST).split(b"\n")
    wrong = next((number for number, line in enumerate(lines, 1) if not _is_entry(line)), None)
    if wrong is not None or not (lines or cut.startswith(BEGINS) or BEGINS.startswith(cut)):
        where = "" if wrong is None else f", or damaged in line {wrong}"
        raise EdgeoptError(f"'{journal}' is no journal of an exploration{where}; name another file with -o")
    if cut:
        os.truncate(journal, sum(len(line) + 1 for line in lines))


def _is_entry(line: bytes) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and "op_code" in found


def _imported() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise EdgeoptError("exploring needs optuna: pip install 'edgeopt[explore]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
