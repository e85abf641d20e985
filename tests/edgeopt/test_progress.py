"""The bar of a compilation: stages in their order, shares that only grow, and no thread, which would keep it from forking."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import edgeopt
from edgeopt.cli import console
from edgeopt.evaluate.data import DataSet
from edgeopt.progress import STAGES, each, listening, news, onward, stage
from tests.edgeopt import small_models


def test_stages_and_items_lie_in_one_another() -> None:
    told: list[tuple[str, float]] = []
    with listening(lambda name, share: told.append((name, share))):
        stage("choosing how to approximate")
        assert [(i, k) for i in each("ab") for k in each(range(2))] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
        stage("running the float network")  # again: nothing is taken back
        stage("generating code")
    first, width = 0.10, STAGES["choosing how to approximate"] / 100
    shares = sorted({round(share, 6) for _, share in told})
    assert shares == pytest.approx([first, *(first + width * k / 4 for k in (1, 2, 3, 4)), 0.95])
    assert [share for _, share in told] == sorted(share for _, share in told)
    assert [name for name, _ in told][-2:] == ["running the float network", "generating code"]


def test_items_without_a_number_take_part_of_what_is_left() -> None:
    told: list[float] = []
    with listening(lambda _, share: told.append(share)):
        stage("verifying on the samples")
        for _ in range(3):
            onward(0.5)
    assert np.diff(told) == pytest.approx([0.16, 0.08, 0.04])


def test_every_stage_that_is_told_is_known() -> None:
    sources = Path(edgeopt.__file__).parent.rglob("*.py")
    told = {name for source in sources for name in re.findall(r'\bstage\("([^"]+)"\)', source.read_text())}
    assert told == set(STAGES), "one that is not listed ends the work where somebody listens"


def test_nobody_needs_to_listen() -> None:
    stage("timing layers")
    assert list(each([1, 2])) == [1, 2]


def test_level_three_tells_all_its_stages() -> None:
    told: list[tuple[str, float]] = []
    x = np.random.default_rng(0).standard_normal((32, 3, 8, 8)).astype(np.float32)
    with listening(lambda name, share: told.append((name, share))):
        edgeopt.compile(small_models.convolution(), level=3, data=DataSet({"x": x}))
    stages = dict.fromkeys(name.partition(":")[0] for name, _ in told)
    assert list(stages) == [name for name in STAGES if name != "fitting early exits"]
    assert [share for _, share in told] == sorted(share for _, share in told) and len({share for _, share in told}) > 8


def test_lines_are_written_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(console, "monotonic", lambda: now)
    with console.progressing("compiling net"):
        stage("reading and optimising")
        now += console.PATIENCE
        stage("timing layers")
        list(each([1, 2, 3]))
        stage("generating code")
    assert capsys.readouterr().err.splitlines() == ["compiling net: timing layers (50%)", "compiling net: generating code (95%)"]


def test_what_is_new_in_a_stage_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(console, "monotonic", lambda: now)
    news("nobody listens")
    with console.progressing("compiling net"):
        stage("timing layers")
        now += console.PATIENCE
        for number in range(1, 8):
            news(f"network {number}")
            now += console.NEWS / 4
        stage("generating code")
    lines = [*(f"timing layers: network {number} (50%)" for number in (1, 5)), "generating code (95%)"]
    assert capsys.readouterr().err.splitlines() == [f"compiling net: {line}" for line in lines]


def test_the_bar_is_drawn_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(console, "Console", lambda **_: Console(file=screen, force_terminal=True, width=120))
    threads = threading.active_count()
    with console.progressing("compiling [red]net"):
        stage("timing layers")
        assert threading.active_count() == threads
    assert "compiling [red]net: timing layers" in screen.getvalue() and "50%" in screen.getvalue()
