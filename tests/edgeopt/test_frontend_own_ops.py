"""Own operators: their meaning, their way through a file, and functions that only look like ours."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, Node, TensorType, Value, verify
from edgeopt.ops import evaluate, infer
from tests.edgeopt.runtime_oracle import run

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(2, 3, 5, 5)).astype(np.float32)
ERF = np.vectorize(math.erf)


def own(op: str, x: Array, constants: list[Array | None], opset: int = 17, **attributes: Attribute) -> Graph:
    """A graph of one own operator on input ``x``."""
    graph = Graph(opsets={"": opset}, ir_version=8)
    graph.inputs = [Value("x", TensorType("float32", x.shape))]
    inputs = [graph.inputs[0], *(None if c is None else graph.constant("c", c) for c in constants)]
    node = graph.insert(Node(op, inputs, [Value("y")], dict(attributes), OWN_DOMAIN, op.lower()))
    (node.output.type,) = infer(node)
    graph.outputs = [node.output]
    verify(graph)
    return graph


def fused_conv() -> Graph:
    """A fused convolution with a residual, no bias, and a leaky activation."""
    w = RANDOM.normal(size=(4, 3, 3, 3)).astype(np.float32)
    r = RANDOM.normal(size=(2, 4, 5, 5)).astype(np.float32)
    return own("FusedConv", X, [w, None, r], pads=[1, 1, 1, 1], activation="LeakyRelu", alpha=0.2)


CASES: dict[str, tuple[Graph, Array]] = {
    "Silu": (own("Silu", X, []), X / (1 + np.exp(-X))),
    "HardSwish": (own("HardSwish", X, [], 13), X * np.clip(X / 6 + 0.5, 0, 1)),
    "Gelu": (own("Gelu", X, [], 13), X / 2 * (1 + ERF(X / math.sqrt(2)))),
    "Gelu tanh": (
        own("Gelu", X, [], approximate="tanh"),
        X / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))),
    ),
}


def layer_norm(x: Array, axes: tuple[int, ...]) -> Array:
    """Layer normalisation by its definition."""
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    result: Array = (x - mean) / np.sqrt(variance + 1e-5)
    return result


@pytest.mark.parametrize("name", CASES)
def test_activations_mean_their_formula_here_and_in_onnxruntime(name: str) -> None:
    graph, expected = CASES[name]
    np.testing.assert_allclose(interpret(graph, {"x": X})["y"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(export(graph), {"x": X})["y"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize(("axis", "axes"), [(-1, (3,)), (2, (2, 3)), (-3, (1, 2, 3))])
def test_layer_normalization_means_its_formula(opset: int, axis: int, axes: tuple[int, ...]) -> None:
    scale, shift = RANDOM.normal(size=(2, 5)).astype(np.float32)
    graph = own("LayerNormalization", X, [scale, shift], opset, axis=axis)
    expected = layer_norm(X, axes) * scale + shift
    np.testing.assert_allclose(interpret(graph, {"x": X})["y"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run(export(graph), {"x": X})["y"], expected, rtol=1e-4, atol=1e-5)


def test_types_come_through_the_body() -> None:
    assert str(fused_conv().outputs[0].type) == "float32[2,4,5,5]"


def test_an_own_operator_comes_back_as_itself() -> None:
    graph = fused_conv()
    model = export(graph)
    onnx.checker.check_model(model, full_check=True)
    assert [(n.domain, n.op_type) for n in model.graph.node] == [(OWN_DOMAIN, "FusedConv_0")]
    again = load(model)
    assert str(again) == str(graph)
    assert export(again) == model


def test_two_variants_get_two_functions_and_equal_ones_share() -> None:
    graph = own("Silu", X, [])
    for op in ("Silu", "Gelu"):
        node = graph.make(op, [graph.outputs[0]], [graph.inputs[0].type], domain=OWN_DOMAIN)
        graph.outputs = [node.output]
    assert [n.op_type for n in export(graph).graph.node] == ["Silu_0", "Silu_0", "Gelu_0"]


def test_portable_has_standard_nodes_only_and_the_same_numbers() -> None:
    graph = fused_conv()
    model = export(graph, portable=True)
    onnx.checker.check_model(model, full_check=True)
    assert not model.functions
    assert {n.domain for n in model.graph.node} == {""}
    np.testing.assert_array_equal(run(model, {"x": X})["y"], run(export(graph), {"x": X})["y"])


def test_a_function_with_our_name_and_another_body_keeps_its_own_meaning() -> None:
    model = export(own("Silu", X, []))
    del model.functions[0].node[:]
    model.functions[0].node.append(onnx.helper.make_node("Neg", ["x0"], ["y0"]))
    graph = load(model)
    assert [n.op for n in graph.nodes] == ["Neg"]
    np.testing.assert_array_equal(interpret(graph, {"x": X})["y"], -X)


def test_evaluate_and_infer_agree_on_the_shape() -> None:
    (node,) = fused_conv().nodes
    arrays = [X, *(node.constant(i) for i in range(1, 4))]
    (y,) = evaluate(node, arrays)
    assert node.output.type is not None
    assert y.shape == node.output.type.shape


def test_a_number_out_of_range_in_an_own_operator_is_one_message() -> None:
    operands = [np.ones((1, 4, 4), np.float32), np.ones(4, np.float32), None, np.zeros(1, np.int32), np.array([0, 1], np.int32)]
    model = export(own("SparseConv", X[:, :1], operands, weight_shape=[4, 1, 1, 1], block=[4, 4]))
    (extents,) = [a for a in model.graph.node[0].attribute if a.name == "weight_shape"]
    extents.ints[2] = extents.ints[3] = 2**40
    with pytest.raises(EdgeoptError, match="SparseConv.*out of range"):
        load(model)
