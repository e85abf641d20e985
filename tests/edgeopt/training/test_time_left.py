"""The time left of a training, in lines: by the pace of its steps, whatever came before the first of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edgeopt.cli import training


def test_what_the_first_step_compiled_and_steps_before_a_checkpoint_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    told, clock = list[str](), iter([0.0, 90.0, 100.0, 110.0])
    monkeypatch.setattr(training, "note", told.append)
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    listen = training._lines()
    for step in (41, 51, 61):
        made: Any = SimpleNamespace(phase="prune", step=step, steps=100, loss=0.5)
        listen(made)
    assert told == [
        "prune: step 41 of 100, loss 0.5000",
        "prune: step 51 of 100, loss 0.5000, about 49 s left",
        "prune: step 61 of 100, loss 0.5000, about 39 s left",
    ]
