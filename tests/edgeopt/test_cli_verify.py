"""edgeopt verify."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgeopt.examine import originals
from edgeopt.examine.difference import compare
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Array
from edgeopt.runtime.model import CompiledModel
from tests.edgeopt.command_line import DIGITS, EVALUATION, answered, compiled, edgeopt


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The digits network with one weight of the head changed."""
    model = onnx.load(DIGITS)
    (head,) = [w for w in model.graph.initializer if w.name == "gemm_19.bias"]
    changed = numpy_helper.to_array(head).copy()
    changed[0] += 0.05
    head.CopyFrom(numpy_helper.from_array(changed, head.name))
    onnx.save(model, tmp_path / "other.onnx")
    return tmp_path / "other.onnx"


def test_the_compiled_model_agrees(directory: Path) -> None:
    result = edgeopt("verify", DIGITS, directory)
    assert result.exit_code == 0 and "logits" in result.stdout, result.stderr


def test_another_model_does_not(directory: Path, other: Path) -> None:
    result = edgeopt("verify", other, directory, "--json")
    report = answered(result)
    assert result.exit_code == 1 and report["passed"] is False
    assert report["outputs"][0]["error"] > 1e-4


def test_wrong_numbers_for_several_samples_in_one_call_are_seen(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples one by one are right, and the second sample of a call is not."""
    real = CompiledModel.run

    def run(self: CompiledModel, inputs: dict[str, Array], threads: int = 1) -> dict[str, Array]:
        made = real(self, inputs, threads)
        return {name: np.concatenate([array[:1], array[:-1]]) for name, array in made.items()}

    monkeypatch.setattr(CompiledModel, "run", run)
    assert edgeopt("verify", DIGITS, directory, "--samples", "1").exit_code == 0
    assert edgeopt("verify", DIGITS, directory, "--samples", "3").exit_code == 1
    assert edgeopt("verify", DIGITS, directory, "--input", EVALUATION).exit_code == 1


def test_the_reference_evaluator_serves_without_onnxruntime(
    directory: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(originals, "find_spec", lambda name: None)
    result = edgeopt("verify", DIGITS, directory, "--samples", "1", "--json")
    assert result.exit_code == 0 and answered(result)["engine"] == "onnx.reference"
    assert edgeopt("verify", other, directory, "--samples", "1").exit_code == 1
    refused = edgeopt("verify", DIGITS, directory, "--engine", "onnxruntime")
    assert refused.exit_code == 3 and "not installed" in refused.stderr


def test_the_engine_can_be_chosen(directory: Path) -> None:
    result = edgeopt("verify", DIGITS, directory, "--samples", "1", "--engine", "onnx.reference", "--json")
    assert result.exit_code == 0 and answered(result)["engine"] == "onnx.reference"


def test_given_inputs_are_used(directory: Path) -> None:
    result = edgeopt("verify", DIGITS, directory, "--input", EVALUATION)
    assert result.exit_code == 0 and "100.00 %" in result.stdout


@pytest.mark.parametrize("count", [1, 7, 8])
def test_a_last_batch_is_filled(count: int, tmp_path: Path) -> None:
    """As ``compile`` and ``eval`` fill it."""
    assert edgeopt("compile", DIGITS, "--shape", "image=4,1,8,8", "-o", tmp_path / "fours").exit_code == 0
    with np.load(EVALUATION) as data:
        np.savez(tmp_path / "some.npz", image=data["image"][:count])
    result = edgeopt("verify", DIGITS, tmp_path / "fours", "--input", tmp_path / "some.npz")
    assert result.exit_code == 0, result.stderr


def test_an_original_of_fixed_batch_takes_many_samples(directory: Path, tmp_path: Path) -> None:
    model = onnx.load(DIGITS)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "one.onnx")
    result = edgeopt("verify", tmp_path / "one.onnx", directory, "--input", EVALUATION)
    assert result.exit_code == 0, result.stderr


def test_an_original_with_other_inputs_is_one_message(directory: Path, tmp_path: Path) -> None:
    model = onnx.load(DIGITS)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2
    onnx.save(model, tmp_path / "two.onnx")
    result = edgeopt("verify", tmp_path / "two.onnx", directory)
    assert result.exit_code == 3 and "two.onnx" in result.stderr and "internal" not in result.stderr


def test_integers_select_what_is_in_a_table(tmp_path: Path) -> None:
    table = numpy_helper.from_array(np.eye(2, 3, dtype=np.float32), "table")
    nodes = [onnx.helper.make_node("Gather", ["table", "i"], ["y"])]
    about = [onnx.helper.make_tensor_value_info(n, t, s) for n, t, s in (("i", 7, [5]), ("y", 1, [5, 3]))]
    graph = onnx.helper.make_graph(nodes, "embedding", about[:1], about[1:], [table])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    assert edgeopt("compile", tmp_path / "m.onnx", "-o", tmp_path / "made").exit_code == 0
    assert edgeopt("verify", tmp_path / "m.onnx", tmp_path / "made").exit_code == 0
    assert edgeopt("bisect", tmp_path / "m.onnx").exit_code == 0


def test_an_arm_model_agrees_under_emulation(tmp_path: Path) -> None:
    for tool in ("qemu-aarch64", "aarch64-linux-gnu-gcc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    directory = compiled(tmp_path, "-O2", "--target", "arm")
    result = edgeopt("verify", DIGITS, directory, "--emulate", "--samples", "2")
    assert result.exit_code == 0, result.stdout + result.stderr
    refused = edgeopt("verify", DIGITS, directory)
    assert refused.exit_code == 3 and "--emulate" in refused.stderr


def test_a_test_data_set_brings_its_outputs(directory: Path, tmp_path: Path) -> None:
    x = np.load(EVALUATION)["image"][:1]
    y = interpret(load(DIGITS), {"image": x})["logits"]
    for shift, code in ((0.0, 0), (0.5, 1)):
        _write(tmp_path / "input_0.pb", x)
        _write(tmp_path / "output_0.pb", y + np.float32(shift))
        assert edgeopt("verify", DIGITS, directory, "--input", tmp_path).exit_code == code


def test_an_incomplete_test_data_set_is_refused(directory: Path, tmp_path: Path) -> None:
    result = edgeopt("verify", DIGITS, directory, "--input", tmp_path)
    assert result.exit_code == 3 and "input" in result.stderr


def _write(path: Path, array: Array) -> None:
    path.write_bytes(numpy_helper.from_array(np.asarray(array)).SerializeToString())


def error(expected: Array, actual: Array) -> float:
    return compare([{"y": expected}], [{"y": actual}])[0].error


def test_what_counts_as_an_error() -> None:
    ramp = np.arange(11, dtype=np.float32)
    assert error(ramp, ramp) == 0
    assert error(ramp, ramp + np.float32(0.5)) == pytest.approx(0.05)
    assert error(ramp, ramp[:-1]) == np.inf
    assert error(ramp, np.where(ramp > 9, np.nan, ramp)) == np.inf
    assert error(np.array([np.nan, 1.0]), np.array([np.nan, 1.0])) == 0
    assert error(np.array([1, 200], np.uint8), np.array([2, 199], np.uint8)) == 0
    assert error(np.array([1, 200], np.uint8), np.array([3, 200], np.uint8)) > 0
    assert error(np.array([7]), np.array([8])) > 0


def test_decisions_are_compared_over_all_samples() -> None:
    expected = [{"y": np.array([[0.0, 1.0]])}, {"y": np.array([[1.0, 0.0]])}]
    actual = [{"y": np.array([[0.0, 1.0]])}, {"y": np.array([[0.0, 1.0]])}]
    assert compare(expected, actual)[0].decisions == 0.5


def test_samples_with_nan_are_refused(directory: Path, tmp_path: Path) -> None:
    images = np.load(EVALUATION)["image"][:3].copy()
    images[1, 0, 2, 2] = np.nan
    np.savez(tmp_path / "x.npz", image=images)
    result = edgeopt("verify", DIGITS, directory, "--input", tmp_path / "x.npz")
    assert result.exit_code == 3 and "holds NaN in 1 of 3 samples, the first is sample 1" in result.stderr
