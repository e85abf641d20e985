"""Who interrupts a training is told what is left of it, and later that it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeopt.cli.training import shown, told_how_to_go_on
from edgeopt.progress import news, stage


def interrupted(checkpoints: Path | None) -> None:
    with pytest.raises(KeyboardInterrupt), told_how_to_go_on(checkpoints):
        raise KeyboardInterrupt


def test_an_interruption_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    interrupted(None)
    assert "with --checkpoints DIR" in capsys.readouterr().err
    interrupted(tmp_path)
    assert "before the first checkpoint" in capsys.readouterr().err
    (tmp_path / "phase-0.npz").touch()
    interrupted(tmp_path)
    assert "goes on from the checkpoint" in capsys.readouterr().err


def test_a_training_that_goes_on_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with shown():
        news("goes on from step 26 of 420")
        stage("generating code")
    assert capsys.readouterr().err == "goes on from step 26 of 420\n"
