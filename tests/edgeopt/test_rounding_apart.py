"""What rounding can move in a model is measured, so that right codes agree and wrong ones do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeopt.examine.originals import ORIGINALS, original_runner
from edgeopt.examine.rounding_apart import NUDGE, nudged, rounding_apart
from edgeopt.ir import Array

RNG = np.random.default_rng(0)


def model(coded: bool, opset: int = 13) -> onnx.ModelProto:
    """A product of 64 inputs, whose results are values or codes of a hundredth."""
    weight = np.round(RNG.standard_normal((64, 8)), 2).astype(np.float32)
    constants: dict[str, Array] = {
        "w": weight,
        "s": np.array(0.01, np.float32),
        "z": np.array(0, np.int8),
        "s8": np.full(8, 0.01, np.float32),
    }
    constants["z8"] = np.zeros(8, np.int8)
    codes = [
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s8", "z8"], ["y"], axis=1),
    ]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m" if coded else "y"]), *(codes if coded else [])]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, k]) for n, k in (("x", 64), ("y", 8))]
    known = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items() if coded or n == "w"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], known)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def apart(made: onnx.ModelProto, folder: Path, x: Array) -> float:
    path = folder / "model.onnx"
    onnx.save(made, path)
    run = original_runner(path)[1]
    return rounding_apart(path, lambda at: original_runner(at)[1], [{"x": x}], [run({"x": x})])


def test_codes_move_by_steps_where_sums_are_half_of_one(tmp_path: Path) -> None:
    ties = np.zeros((4, 64), np.float32)
    ties[:, 0] = 0.5  # weights are whole hundredths, so that products are half steps, or whole
    exact, coded = apart(model(False), tmp_path, ties), apart(model(True), tmp_path, ties)
    assert exact < 1e-5 and 1e-3 < coded < 0.1
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_constants_move_by_no_more_than_they_should() -> None:
    made = model(True)
    before, after = ({t.name: numpy_helper.to_array(t) for t in m.graph.initializer} for m in (made, nudged(made, 1)))
    assert not np.array_equal(before["w"], after["w"]) and np.array_equal(before["z8"], after["z8"])
    np.testing.assert_allclose(after["w"], before["w"], rtol=1.1 * NUDGE)


@pytest.mark.parametrize("opset", [13, 19])
def test_engines_read_codes_of_old_models(tmp_path: Path, opset: int) -> None:
    onnx.save(model(True, opset), tmp_path / "model.onnx")
    x = RNG.standard_normal((4, 64)).astype(np.float32)
    one, other = (original_runner(tmp_path / "model.onnx", engine)[1]({"x": x})["y"] for engine in ORIGINALS)
    np.testing.assert_allclose(one, other, atol=0.011)
