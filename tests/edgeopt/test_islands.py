"""Islands of float in quantised networks are named, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeopt.frontend import load
from edgeopt.pipeline import optimize
from edgeopt.report.islands import Island, islands

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def constant(name: str, array: object, dtype: type) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array, dtype), name)


def between(op: str, inputs: int = 1, **attributes: Any) -> onnx.ModelProto:
    """QuantizeLinear, Conv, ``op`` between DequantizeLinear and QuantizeLinear, Conv."""
    rng = np.random.default_rng(0)
    weights = [constant(n, rng.integers(-9, 9, (4, 4, 1, 1)), np.int8) for n in ("w0", "w1")]
    grid = [constant("s", 0.1, np.float32), constant("z", 8, np.uint8), constant("ws", 0.01, np.float32)]
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q0"]), *rounded("q0", "a", "w0", "b")]
    nodes += [helper.make_node(op, ["d_b"] * inputs, ["c"], name="middle", **attributes)]
    nodes += [helper.make_node("QuantizeLinear", ["c", "s", "z"], ["q2"]), *rounded("q2", "e", "w1", "y")]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4, 5, 5]) for n in ("x", "d_y")]
    graph = helper.make_graph(nodes, "island", ports[:1], ports[1:], [*weights, *grid])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def rounded(codes: str, name: str, weight: str, result: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("DequantizeLinear", [codes, "s", "z"], [name]),
        helper.make_node("DequantizeLinear", [weight, "ws"], [f"{name}_w"]),
        helper.make_node("Conv", [name, f"{name}_w"], [f"{name}_c"], name=f"conv_{name}"),
        helper.make_node("QuantizeLinear", [f"{name}_c", "s", "z"], [f"q_{result}"]),
        helper.make_node("DequantizeLinear", [f"q_{result}", "s", "z"], [f"d_{result}"]),
    ]


def found(model: onnx.ModelProto) -> list[Island]:
    graph = load(model)
    context = optimize(graph)
    return islands(graph, context.declined)


def test_an_operator_without_an_integer_form_is_an_island() -> None:
    (island,) = found(between("LRN", size=3))
    assert island.op == "LRN" and "no integer form" in island.reason


def test_an_operator_with_one_is_none() -> None:
    assert found(between("Relu")) == [] and found(between("Add", 2)) == []


def test_a_float_network_has_none() -> None:
    assert found(onnx.load(EXAMPLES / "digits.onnx")) == []
