"""edgeopt run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.edgeopt.command_line import DIGITS, EVALUATION, compiled, edgeopt


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("run"))


def test_many_samples_give_what_single_ones_give(directory: Path, tmp_path: Path) -> None:
    images = np.load(EVALUATION)["image"][:6]
    logits = []
    for name, x in (("all", images), ("one", images[3:4])):
        np.savez(tmp_path / f"{name}.npz", image=x)
        result = edgeopt("run", directory, "--input", tmp_path / f"{name}.npz", "--output", tmp_path / "y.npz")
        assert result.exit_code == 0, result.stderr
        logits.append(np.load(tmp_path / "y.npz")["logits"])
    np.testing.assert_array_equal(logits[0][3:4], logits[1])


def test_the_output_file_has_the_name_that_was_asked_for(directory: Path, tmp_path: Path) -> None:
    assert edgeopt("run", directory, "--input", EVALUATION, "--output", tmp_path / "result").exit_code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"picture": np.zeros((1, 1, 8, 8), np.float32)}, "image"),
        ({"image": np.zeros((1, 1, 8, 7), np.float32)}, "image"),
        ({"image": np.zeros((1, 1, 8, 8), np.float64)}, "float64"),
    ],
)
def test_wrong_arrays_are_refused(directory: Path, tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
    result = edgeopt("run", directory, "--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    assert result.exit_code == 1 and message in result.stderr
    assert not (tmp_path / "y.npz").exists()


def test_a_file_that_is_no_archive_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("no archive")
    result = edgeopt("run", directory, "--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    assert result.exit_code == 1 and "not an npz archive" in result.stderr


def test_damaged_code_is_not_run(tmp_path: Path) -> None:
    directory = compiled(tmp_path)
    code = directory / "model.o.xz"
    code.write_bytes(code.read_bytes()[:-1] + b"\x01")
    result = edgeopt("run", directory, "--input", EVALUATION, "--output", tmp_path / "y.npz")
    assert result.exit_code == 1 and "damaged" in result.stderr


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path) -> None:
    result = edgeopt("run", tmp_path, "--input", EVALUATION, "--output", tmp_path / "y.npz")
    assert result.exit_code == 1 and "not a compiled model" in result.stderr


def test_an_unwritable_output_is_one_message(directory: Path, tmp_path: Path) -> None:
    result = edgeopt("run", directory, "--input", EVALUATION, "--output", tmp_path / "nowhere" / "y.npz")
    assert result.exit_code == 1 and "cannot write" in result.stderr and "Traceback" not in result.stderr


def test_nan_in_the_input_is_said(directory: Path, tmp_path: Path) -> None:
    images = np.load(EVALUATION)["image"][:3].copy()
    images[2, 0, 0, 0] = np.nan
    np.savez(tmp_path / "x.npz", image=images)
    result = edgeopt("run", directory, "--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    assert result.exit_code == 0 and "warning: array 'image'" in result.stderr
    assert "holds NaN in 1 of 3 samples, the first is sample 2" in result.stderr


def test_slips_get_a_message_with_the_way_out() -> None:
    onnx_file = edgeopt("run", DIGITS, "--input", EVALUATION, "--output", "y.npz")
    assert onnx_file.exit_code == 2 and "compile it first" in onnx_file.stderr
    bound = edgeopt("compile", DIGITS, "--target", "cortex-m4", "--max-ram", "16")
    assert bound.exit_code == 2 and "16k are kilobytes" in bound.stderr
    near = edgeopt("compile", DIGITS, "--target", "cortex-m5")
    assert near.exit_code == 2 and "did you mean cortex-m" in near.stderr
