"""``edgeopt eval``: shares with intervals, exit codes that a pipeline can go by; ``verify`` of approximate models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import edgeopt as package
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import drop_interval, share_interval
from tests.edgeopt.command_line import CALIBRATION, DIGITS, EVALUATION, answered, compiled, edgeopt


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits network in int8."""
    data = ("--data", str(EVALUATION), "--calibration", str(CALIBRATION), "--quantize", "w8a8")
    return compiled(tmp_path_factory.mktemp("eval"), *data)


def test_intervals() -> None:
    low, high = share_interval(90, 100)
    assert (low, high) == pytest.approx((82.56, 94.48), abs=0.01)  # Wilson's, by hand
    assert share_interval(5, 5)[1] == pytest.approx(100) and share_interval(0, 5)[0] == pytest.approx(0)
    before, after = np.ones(1000, bool), np.ones(1000, bool)
    after[:10] = False
    low, high = drop_interval(before, after)
    assert 0 < low < 1 < high < 2
    assert drop_interval(after, before) == pytest.approx((-high, -low))
    many = drop_interval(before, after, 20)
    assert (many[1] - many[0]) / (high - low) == pytest.approx(3.0233 / 1.96, abs=1e-3)
    with pytest.raises(ValueError, match="no samples"):
        share_interval(0, 0)


def test_a_compiled_model_is_counted(small: Path) -> None:
    arrays = np.load(EVALUATION)
    made = package.load(small)
    expected = 100 * np.mean(made.run({"image": arrays["image"]})["logits"].argmax(1) == arrays["labels"].ravel())
    found = answered(edgeopt("eval", small, "--data", EVALUATION, "--json"))
    assert found["accuracy"]["percent"] == pytest.approx(expected) and found["samples"] == 400
    assert found["accuracy"]["low"] < expected < found["accuracy"]["high"]
    assert found["drop"] is None and 0 < found["minimum_ms"] <= found["median_ms"] < 5


def test_without_labels_decisions_are_compared(small: Path) -> None:
    gate = ("--against", DIGITS, "--max-drop", "1")
    assert edgeopt("eval", small, "--data", EVALUATION, *gate).exit_code == 0
    images = np.load(EVALUATION)["image"][:50]
    found = package.eval(small, DataSet({"image": images}), against=DIGITS)
    assert found.accuracy is None and found.agreement is not None and found.drop is not None
    assert found.drop.percent == pytest.approx(100 - found.agreement.percent) and found.passed


def test_one_is_outside_two_is_usage_three_could_not_run(small: Path, tmp_path: Path) -> None:
    rough = compiled(tmp_path, "--quantize", "w1")  # signs only, without data: it loses much
    outside = edgeopt("eval", rough, "--data", EVALUATION, "--against", DIGITS, "--max-drop", "1", "--json")
    assert outside.exit_code == 1 and answered(outside)["drop"]["percent"] > 1
    assert edgeopt("eval", small, "--data", EVALUATION, "--max-drop", "1").exit_code == 2
    assert edgeopt("eval", small).exit_code == 2
    np.savez(tmp_path / "no_labels.npz", image=np.load(EVALUATION)["image"])
    np.savez(tmp_path / "nan.npz", image=np.full((2, 1, 8, 8), np.nan, np.float32), labels=np.zeros(2, int))
    for data in (tmp_path / "no_labels.npz", tmp_path / "nan.npz", DIGITS):
        failed = edgeopt("eval", small, "--data", data, "--json")
        assert failed.exit_code == 3 and json.loads(failed.stdout)["error"]["kind"] == "failure"
    held = edgeopt("verify", DIGITS, rough, "--input", EVALUATION)
    assert held.exit_code == 1 and "lost as measured, for which there was no budget; 1 may be" in held.stderr
    assert edgeopt("verify", DIGITS, rough, "--input", EVALUATION, "--max-drop", "100").exit_code == 0
    unknown = edgeopt("verify", DIGITS, rough)
    assert unknown.exit_code == 3 and "give --input" in unknown.stderr


def test_few_samples_and_labels_of_others_are_said(small: Path, tmp_path: Path) -> None:
    few = edgeopt("eval", small, "--data", EVALUATION, "--against", DIGITS, "--max-drop", "1", "--samples", "20")
    assert few.exit_code == 0 and "but 20 samples cannot tell: up to " in few.stderr
    arrays = dict(np.load(EVALUATION))
    np.savez(tmp_path / "mixed.npz", **arrays | {"labels": np.random.default_rng(0).permutation(arrays["labels"])})
    mixed = edgeopt("eval", small, "--data", tmp_path / "mixed.npz")
    assert mixed.exit_code == 0 and "no more than guessing reaches" in mixed.stderr
    assert "guessing" not in edgeopt("eval", small, "--data", EVALUATION).stderr


def test_an_approximate_model_is_held_to_its_budget(small: Path, tmp_path: Path) -> None:
    found = answered(edgeopt("verify", DIGITS, small, "--json"))
    assert found["passed"] and found["against"] == "inside" and found["max_drop"] == 1.0 and found["tolerance"] == 1e-4
    found = answered(edgeopt("verify", DIGITS, small, "--input", EVALUATION, "--json"))
    assert found["passed"] and found["against"] == "original" and found["tolerance"] is None
    assert edgeopt("verify", DIGITS, small, "--tolerance", "1e-4").exit_code == 1
    other = tmp_path / "other.onnx"
    other.write_bytes(DIGITS.read_bytes() + b"\x22\x01x")  # another producer_version: other bytes, the same network
    result = edgeopt("verify", other, small)
    assert result.exit_code == 3 and "not compiled from" in result.stderr
    assert edgeopt("verify", other, small, "--input", EVALUATION).exit_code == 0


def test_code_that_gives_other_numbers_is_noticed(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = package.CompiledModel.run

    def wrong(self: package.CompiledModel, *given: object, **more: object) -> object:
        return {name: array + 1 for name, array in run(self, *given, **more).items()}  # type: ignore[arg-type]

    monkeypatch.setattr(package.CompiledModel, "run", wrong)
    assert not package.verify(DIGITS, small).passed
