"""Dimensions of zero: batches of none, sums over nothing, windows larger than their input, parts that nobody reads."""

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, helper, numpy_helper

import edgeopt
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.lower.lowering import lower
from edgeopt.target import target


def ones(*shape: int) -> Array:
    """Float ones."""
    return np.ones(shape, np.float32)


def model(node: NodeProto, x: Array, constants: Sequence[Array] = ()) -> ModelProto:
    """A model of one node that reads ``x`` and the constants ``c0``, ``c1``, ..."""
    outputs = [helper.make_empty_tensor_value_info(o) for o in node.output if o]
    graph = helper.make_graph(
        [node],
        "empty",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        outputs,
        [numpy_helper.from_array(c, f"c{i}") for i, c in enumerate(constants)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("op", "x", "constants", "expected"),
    [
        ("MatMul", ones(0, 3), [ones(3, 4)], ones(0, 4)),
        ("MatMul", ones(2, 0), [ones(0, 4)], np.zeros((2, 4))),
        ("Gemm", ones(0, 4), [ones(4, 3), ones(3)], ones(0, 3)),
        ("Gemm", ones(2, 0), [ones(0, 3), ones(3)], ones(2, 3)),
        ("Conv", ones(0, 4, 8, 8), [ones(6, 4, 3, 3)], ones(0, 6, 6, 6)),
        ("Conv", ones(1, 4, 2, 2), [ones(6, 4, 3, 3)], ones(1, 6, 0, 0)),
        ("Conv", ones(1, 0, 8, 8), [ones(2, 0, 3, 3), ones(2)], ones(1, 2, 6, 6)),
        ("ReduceSum", ones(0, 3), [np.array([0])], np.zeros((1, 3))),
        ("DynamicQuantizeLinear", ones(1, 2), [], np.array([[255, 255]])),
    ],
)
@pytest.mark.filterwarnings("ignore:.*runs on the host")
@pytest.mark.parametrize("level", [0, 1])
def test_empty_operands(level: int, op: str, x: Array, constants: list[Array], expected: Array) -> None:
    node = helper.make_node(op, ["x", *(f"c{i}" for i in range(len(constants)))], ["y", "s", "z"][: 3 if "Dynamic" in op else 1])
    result = edgeopt.compile(model(node, x, constants), level=level).run({"x": x})["y"]
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("level", [0, 1])
def test_a_middle_part_that_is_left_out(level: int) -> None:
    x = np.arange(14, dtype=np.float32).reshape(2, 7)
    source = model(helper.make_node("Split", ["x", "c0"], ["a", "", "c"], axis=1), x, [np.array([1, 4, 2])])
    results = edgeopt.compile(source, level=level).run({"x": x})
    np.testing.assert_array_equal(results["a"], x[:, :1])
    np.testing.assert_array_equal(results["c"], x[:, 5:])


def test_a_result_that_is_left_out_has_room_for_what_the_kernel_writes() -> None:
    graph = load(model(helper.make_node("TopK", ["x", "c0"], ["values", ""]), ones(2, 7), [np.array([3])]))
    (node,) = graph.nodes
    assert node.outputs[1].type is not None
    assert node.outputs[1].type.dims == (2, 3)
    assert lower(graph, target("host")).arena_bytes >= 2 * 3 * 8


@pytest.mark.filterwarnings("ignore:.*runs on the host")
def test_a_result_that_is_left_out_on_the_host() -> None:
    x, scale = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([[1], [2], [3]], np.float32)
    source = model(helper.make_node("LayerNormalization", ["x", "c0"], ["y", "", "deviation"]), x, [scale])
    results = edgeopt.compile(source, level=0).run({"x": x})
    centred = x - x.mean(axis=1, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(results["y"], centred * inverse * scale, rtol=1e-5)
    np.testing.assert_allclose(results["deviation"], inverse, rtol=1e-5)
