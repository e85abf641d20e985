"""`edgeopt bisect --max-drop`: the layer whose change breaks the budget is named; none where all of them keep it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from edgeopt.evaluate.data import DataSet
from edgeopt.examine.broken_budget import first_over
from tests.edgeopt import small_models
from tests.edgeopt.command_line import edgeopt


def fragile() -> tuple[ModelProto, DataSet]:
    """Three layers: few bits hold the signs of the first and the last one, but not the rotation between them."""
    rng = np.random.default_rng(0)
    signs = np.ones((1, 1))
    while len(signs) < 16:
        signs = np.block([[signs, signs], [signs, -signs]])
    rotation = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    x = rng.standard_normal((600, 16)).astype(np.float32)
    labels = (np.maximum(np.maximum(x @ signs, 0) @ rotation, 0) @ signs[:, 1:]).argmax(axis=1)
    nodes = [
        helper.make_node("MatMul", ["x", "u"], ["e"], "one"),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("MatMul", ["f", "v"], ["r"], "two"),
        helper.make_node("Relu", ["r"], ["g"]),
        helper.make_node("MatMul", ["g", "w"], ["y"], "three"),
    ]
    arrays = {"u": signs, "v": rotation, "w": signs[:, 1:]}  # the sum of what is not negative would always be largest
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    made = small_models.model(nodes, [small_models.info("x", (1, 16))], [small_models.info("y", (1, 15))], constants)
    return made, DataSet({"x": x}, labels)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    model, data = fragile()
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert data.labels is not None
    np.savez(tmp_path / "d.npz", labels=data.labels, x=data.arrays["x"])
    return path, tmp_path / "d.npz"


def test_the_fragile_layer_is_named(files: tuple[Path, Path]) -> None:
    asked: list[int] = []
    total, broken = first_over(files[0], "w4", files[1], files[1], 2.0, told=lambda count, lost: asked.append(count))
    assert broken is not None and (total, broken.number, broken.layer) == (3, 2, "two")
    assert broken.before <= 2.0 < broken.after and "quantize" in broken.passes and len(asked) <= 3


def test_a_budget_that_all_keep_has_no_culprit(files: tuple[Path, Path]) -> None:
    assert first_over(files[0], "w8a16", files[1], files[1], 100.0) == (3, None)


def test_the_command_ends_with_1_and_says_the_way_out(files: tuple[Path, Path]) -> None:
    model, data = map(str, files)
    made = edgeopt("bisect", model, "--data", data, "--calibration", data, "--max-drop", "2", "--forms", "w4")
    assert made.exit_code == 1 and "layer 2 of 3, 'two' as w4" in made.stdout and "--keep-float two" in made.stdout
    assert edgeopt("bisect", model, "--max-drop", "5").exit_code == 2
