"""``edgeopt tune`` and ``edgeopt compile --train`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.edgeopt.command_line import answered, edgeopt
from tests.edgeopt.training.stripes import network, samples

pytest.importorskip("jax", reason="the extra 'tune' is not installed")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a network and samples to train on."""
    onnx.save(network(), tmp_path / "stripes.onnx")
    data = samples(300)
    np.savez(tmp_path / "train.npz", labels=data.labels, **data.arrays)  # type: ignore[arg-type]
    return tmp_path


def test_a_network_is_trained_and_written(files: Path) -> None:
    given = ("--train", files / "train.npz", "--recipe", "qat-w8a8", "--epochs", "1", "--batch", "32", "--minutes", "1")
    result = edgeopt("tune", files / "stripes.onnx", *given, "-o", files / "made", "--json")
    assert result.exit_code == 0, result.output
    assert answered(result)["compression"]["recipe"] == "qat-w8a8"
    assert "quantize: step 8 of 8, loss" in result.stderr and "s left" in result.stderr
    manifest = json.loads((files / "made" / "manifest.json").read_text())
    expected = {"recipe": "qat-w8a8", "seed": 0, "steps": 8, "batch": 32, "trained_on": 270, "held_out": 30}
    assert manifest["training"] == {**expected, "phases": [{"phase": "quantize", "steps": 8, "done": 8}]}
    assert "270 samples are few to train on" in result.stderr
    told = edgeopt("why", files / "made")
    assert told.exit_code == 0 and "the budget" not in told.stdout and "a recipe with a structure" in told.stdout
    assert not any(option in told.stdout for option in ("--max-drop", "--keep-float", "--forms")), told.stdout
    assert edgeopt("eval", files / "made", "--data", files / "train.npz").exit_code == 0
    verified = edgeopt("verify", files / "stripes.onnx", files / "made", "--max-drop", "100")
    assert verified.exit_code == 0 and "when compiled" in verified.stderr, verified.stderr


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("nan", lambda x, y: (np.where(x > 2, np.nan, x), y), "holds NaN"),
        ("shape", lambda x, y: (x[..., :5], y), "has shape"),
        ("one class", lambda x, y: (x, np.zeros_like(y)), "a single class"),
        ("few", lambda x, y: (x[:9], y[:9]), "a batch takes 128"),
        ("lengths", lambda x, y: (x, y[:-1]), "299"),
    ],
)
def test_data_that_cannot_be_trained_on_gives_one_message(name: str, change, text: str, files: Path) -> None:  # type: ignore[no-untyped-def]
    data = samples(300)
    x, labels = change(data.arrays["x"], data.labels)
    np.savez(files / "odd.npz", x=x, labels=labels)
    result = edgeopt("tune", files / "stripes.onnx", "--train", files / "odd.npz", "-o", files / "made")
    assert result.exit_code == 1 and text in result.stderr and not (files / "made").exists()
    assert len(result.stderr.splitlines()) == 1, result.stderr


def test_training_goes_with_a_form_that_is_wanted(files: Path) -> None:
    result = edgeopt("compile", files / "stripes.onnx", "--train", files / "train.npz")
    assert result.exit_code == 2 and "--train goes with" in result.stderr
