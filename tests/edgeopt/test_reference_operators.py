"""The operators with which the reference evaluator is corrected, against onnxruntime and against values by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, TensorType, Value
from tests.passes.checks import same_numbers


def evaluated(op: str, inputs: list[Array], attributes: dict[str, Any], opset: int = 19) -> Array:
    """The result of one node by the corrected reference."""
    graph = Graph(opsets={"": opset})
    graph.inputs = [Value(f"x{i}", TensorType("float32", a.shape)) for i, a in enumerate(inputs)]
    node = graph.make(op, graph.inputs, [None], attributes=attributes)
    graph.outputs = [node.output]
    (result,) = interpret(graph, {f"x{i}": a for i, a in enumerate(inputs)}).values()
    return result


def measured(op: str, inputs: list[Array], attributes: dict[str, Any], opset: int = 19) -> Array:
    """The result of one node by onnxruntime."""
    runtime = pytest.importorskip("onnxruntime")
    names = [f"x{i}" for i in range(len(inputs))]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in zip(names, inputs, strict=True)]
    node = helper.make_node(op, names, ["y"], **attributes)
    graph = helper.make_graph([node], "g", infos, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: Array = session.run(None, dict(zip(names, inputs, strict=True)))[0]
    return result


@given(data=st.data())
def test_pooling_agrees_with_onnxruntime(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 3))
    kernel = data.draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))
    attributes: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": data.draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank)),
        "pads": [data.draw(st.integers(0, k - 1)) for k in (*kernel, *kernel)],
        "ceil_mode": data.draw(st.integers(0, 1)),
    }
    op = data.draw(st.sampled_from(["MaxPool", "AveragePool"]))
    if op == "AveragePool":
        attributes["count_include_pad"] = data.draw(st.integers(0, 1))
    x = np.random.default_rng(0).standard_normal((1, 2, *data.draw(st.lists(st.integers(3, 7), min_size=rank, max_size=rank))))
    inputs = [x.astype(np.float32)]
    same_numbers({"y": measured(op, inputs, attributes)}, {"y": evaluated(op, inputs, attributes)}, 1e-6)


def test_asymmetric_pads_of_a_maximum_by_hand() -> None:
    x = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    result = evaluated("MaxPool", [x], {"kernel_shape": [2, 2], "pads": [0, 1, 1, 0]})
    assert result.tolist() == [[[[3, 4, 5], [3, 4, 5]]]]


def test_global_maximum_of_three_spatial_axes() -> None:
    x = np.arange(48, dtype=np.float32).reshape(1, 2, 2, 3, 4)
    assert evaluated("GlobalMaxPool", [x], {}).tolist() == [[[[[23]]], [[[47]]]]]


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (2, 3)])
def test_grouped_transposed_convolution_agrees_with_onnxruntime(group: int, strides: tuple[int, int]) -> None:
    generator = np.random.default_rng(group)
    shapes = [(2, 4, 4, 5), (4, 2, 2, 3), (2 * group,)]
    inputs = [generator.standard_normal(s).astype(np.float32) for s in shapes]
    attributes = {"kernel_shape": (2, 3), "strides": strides, "group": group, "pads": (0, 1, 1, 0)}
    same_numbers(
        {"y": measured("ConvTranspose", inputs, attributes)}, {"y": evaluated("ConvTranspose", inputs, attributes)}, 1e-5
    )


@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response_normalization_agrees_with_onnxruntime(size: int) -> None:
    inputs = [np.random.default_rng(size).standard_normal((2, 7, 3, 4)).astype(np.float32)]
    attributes = {"size": size, "alpha": 0.5, "beta": 0.75, "bias": 1.5}
    same_numbers({"y": measured("LRN", inputs, attributes)}, {"y": evaluated("LRN", inputs, attributes)}, 1e-6)


@pytest.mark.parametrize("p", [1, 2])
def test_normalization_by_a_norm_agrees_with_onnxruntime(p: int) -> None:
    inputs = [np.random.default_rng(p).standard_normal((3, 4, 5)).astype(np.float32)]
    attributes = {"axis": 1, "p": p}
    expected = {"y": measured("LpNormalization", inputs, attributes)}
    same_numbers(expected, {"y": evaluated("LpNormalization", inputs, attributes)}, 1e-6)
