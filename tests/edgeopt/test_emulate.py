"""Models of another processor under emulation."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import edgeopt
from benchmarks.arm_agreement import LIMIT, agreement
from benchmarks.arm_instructions import count, executed
from edgeopt.errors import EdgeoptError
from edgeopt.runtime.emulate import Emulator
from tests.edgeopt.command_line import DIGITS, EVALUATION, compiled
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.emulation import digits, image, needs
from tests.edgeopt.small_models import info, model


@pytest.mark.parametrize("name", ["arm", "cortex-a76", "armv7"])
def test_several_samples_agree_with_the_host(name: str) -> None:
    needs(name)
    images = np.load(EVALUATION)["image"][:3]
    with Emulator(digits(name)) as emulator:
        actual = emulator.run({"image": images})["logits"]
    expected = digits("host").run({"image": images})["logits"]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_the_command_line_emulates(tmp_path: Path) -> None:
    needs("arm")
    directory = compiled(tmp_path, "--target", "arm")
    np.savez(tmp_path / "x.npz", image=image())
    result = command("run", directory, "--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz", "--emulate")
    assert result.exit_code == 0, result.stderr
    assert np.load(tmp_path / "y.npz")["logits"].shape == (1, 10)


def test_code_of_another_processor_is_not_run_here() -> None:
    with pytest.raises(EdgeoptError, match="run, eval and verify .* --emulate"):
        digits("arm").run({"image": image()})


def test_a_missing_emulator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = digits("arm")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EdgeoptError, match="qemu-user"):
        Emulator(model)


def test_a_node_without_a_kernel_is_refused_for_a_board(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["y"], "places")]
    onnx.save(model(nodes, [info("x", [2, 3])], [info("y", [2, None], TensorProto.INT64)]), tmp_path / "places.onnx")
    with pytest.raises(EdgeoptError, match="NonZero 'places'"):
        edgeopt.compile(tmp_path / "places.onnx", target="arm")


@pytest.mark.parametrize("name", ["arm", "cortex-a76", "armv7"])
@pytest.mark.parametrize("model", ["models/mlperf_kws_dscnn", "models/mlperf_ic_resnet8_cifar10", "coverage/mnist_cntk"])
def test_real_networks_agree_with_the_host(models: Path, name: str, model: str) -> None:
    needs(name)
    path = models / f"{model}.onnx"
    result = agreement(path, name, 2, edgeopt.compile(path, level=2))
    assert not result.reason and result.deviation <= LIMIT, result


def test_digits_is_what_the_agreement_is_measured_on() -> None:
    needs("arm")
    result = agreement(DIGITS, "arm", 2, edgeopt.compile(DIGITS, level=2))
    assert result.verdict == "agrees" and 0 < result.code < 150_000 and result.weights > 0


LOG = """IN: main
0x00001000:  d503201f  nop
Trace 0: 0x7f00 [0000000000000000/0000000000001000/00000000/00000000] main
IN: call_1
0x00002000:  4e20d400  fmla     v0.4s, v1.4s, v2.4s
0x00002004:  ad400440  ldp      q0, q1, [x2]
0x00002008:  91000400  add      x0, x0, #1
Trace 0: 0x7f10 [0000000000000000/0000000000002000/00000000/00000000] call_1
Trace 0: 0x7f10 [0000000000000000/0000000000002000/00000000/00000000] call_1
"""


def test_instructions_of_the_models_own_functions_are_counted() -> None:
    every, vector = executed(LOG.splitlines(keepends=True))
    assert every == {"call_1": 6} and vector == {"call_1": 4}


def test_the_cost_model_counts_about_what_an_emulator_executes() -> None:
    needs("cortex-a72")
    row = count(DIGITS, "cortex-a72", 2)
    assert row.vector / row.instructions > 0.7
    assert 0.75 < row.counted / row.instructions < 1.25
