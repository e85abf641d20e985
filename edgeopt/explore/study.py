"""An exploration: optuna proposes, workers try, a journal keeps every trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.explore.point import FIGURES, Point, front, point_of
from edgeopt.explore.trial import RANGES, Subject
from edgeopt.explore.workers import Workers

DIRECTIONS = ["maximize", *["minimize"] * (len(FIGURES) - 1)]
STUDY = "edgeopt"
Told = Callable[[int, Point], None]  # how many trials are done, and the last


class Study:
    """Trials in a ``journal``, which goes on where it ended: those that ran when it did run again.

    Proposals are those of NSGA-II (Deb et al., 2002) over the weights of the figures and the sum of errors; with one worker they
    are the same for the same ``seed``. Raises EdgeoptError where optuna is not installed, or the journal is of another subject.
    """

    def __init__(self, journal: Path, subject: Subject, seed: int) -> None:
        self._optuna = _imported()
        optuna = self._optuna
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
        sampler = optuna.samplers.NSGAIISampler(seed=seed, population_size=20)
        asked: dict[str, Any] = {"study_name": STUDY, "directions": DIRECTIONS, "sampler": sampler, "load_if_exists": True}
        self._study, self._subject = optuna.create_study(storage=storage, **asked), subject
        known = self._study.user_attrs.get("subject", repr(subject))
        if known != repr(subject):
            raise EdgeoptError(f"'{journal}' is the journal of another exploration: {known}; name another file with -o")
        self._study.set_user_attr("subject", repr(subject))
        self._revive()

    def _revive(self) -> None:
        """Trials that ran when the journal ended are proposed again."""
        state = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            self._study.tell(trial.number, state=state.FAIL)
            if trial.params:
                self._study.enqueue_trial(trial.params)

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
            for number, point in workers.finished():
                trial = running.pop(number)
                trial.set_user_attr("point", point.record())
                self._study.tell(trial, [point.accuracy, *point.figures()[1:]])
                done += 1
                told(done, point)


def _imported() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise EdgeoptError("exploring needs optuna: pip install 'edgeopt[explore]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
