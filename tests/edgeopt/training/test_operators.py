"""Every operator that can be trained through computes what the reference says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, helper

from edgeopt.evaluate.data import generated
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Array
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from tests.edgeopt.small_models import FLOAT, info, ints, model, weight

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training.network import Hooks, run
from edgeopt.training.operators.pointwise import BINARY, UNARY, VARIADIC
from edgeopt.training.operators.reductions import REDUCTIONS
from edgeopt.training.operators.table import OPERATORS

MAP = [1, 4, 6, 6]
POSITIVE = ("Acosh", "Log", "Reciprocal", "Sqrt", "ReduceLogSum")  # of numbers above one
BOUNDED = ("Acos", "Asin", "Atanh")
LOGICAL = ("And", "Or", "Xor", "Not")


def node(op: str, inputs: Sequence[str] = ("x",), outputs: Sequence[str] = ("y",), **attributes: Any) -> NodeProto:
    """One node."""
    return helper.make_node(op, list(inputs), list(outputs), op.lower(), **attributes)


def check(nodes: Sequence[NodeProto], constants: Sequence[Any] = (), shape: Sequence[int] = MAP, opset: int = 21) -> None:
    """The graph of ``nodes`` gives the same in JAX and by the reference."""
    proto = model(nodes, [info("x", shape)], [info("y", None)], constants, opset)
    graph = load(proto)
    feed = {"x": generated(graph, 1).arrays["x"].reshape(shape)}
    expected = interpret(graph, feed)["y"]
    (made,) = run(graph, {"x": _traced(feed["x"])}, ["y"], Hooks({}))
    assert np.asarray(made).shape == expected.shape
    np.testing.assert_allclose(np.asarray(made), expected, rtol=2e-5, atol=2e-5)


def _traced(array: Array) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(array)


@pytest.mark.parametrize("op", sorted(set(UNARY) - set(LOGICAL) - {"IsNaN", "Identity"}))
def test_functions_of_single_elements(op: str) -> None:
    first = [node("Sigmoid", ["x"], ["s"])]
    source = "s" if op in BOUNDED else "x"
    if op in POSITIVE:
        first += [node("Add", ["s", "one"], ["t"])]
        source = "t"
    constants = [weight("one", 1)] if op not in POSITIVE else [_one()]
    opset = 22 if op in ("Mish", "HardSwish") else 21
    check([*first, node(op, [source])], constants, opset=opset)


def _one() -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ones(1, np.float32), "one")


@pytest.mark.parametrize(
    "op", sorted(set(BINARY) - set(LOGICAL) - {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Pow"})
)
def test_functions_of_pairs(op: str) -> None:
    check([node(op, ["x", "w"])], [weight("w", 4, 1, 1)])


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_a_comparison_chooses(op: str) -> None:
    check([node(op, ["x", "w"], ["c"]), node("Where", ["c", "x", "w"])], [weight("w", 4, 1, 1)])


@pytest.mark.parametrize("op", sorted({*VARIADIC, "Mean"}))
def test_functions_of_several(op: str) -> None:
    check([node(op, ["x", "a", "b"])], [weight("a", 4, 1, 1), weight("b", 6)])


@pytest.mark.parametrize("op", sorted(set(REDUCTIONS) - {"ReduceLogSum"}))
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reductions(op: str, keepdims: int) -> None:
    check([node(op, ["x", "axes"], keepdims=keepdims)], [ints("axes", 1, -1)])


ACTIVATIONS: dict[str, dict[str, Any]] = {
    "LeakyRelu": {"alpha": 0.2}, "Elu": {"alpha": 0.7}, "Celu": {"alpha": 0.7}, "Selu": {}, "HardSigmoid": {"alpha": 0.3},
    "ThresholdedRelu": {"alpha": 0.4}, "Shrink": {"lambd": 0.3, "bias": 0.1}, "Gelu": {"approximate": "tanh"},
}  # fmt: skip


@pytest.mark.parametrize("op", sorted(ACTIVATIONS))
def test_activations_with_attributes(op: str) -> None:
    check([node(op, **ACTIVATIONS[op])])


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "dense": ((8, 4, 3, 3), {"pads": [1, 0, 2, 1]}),
    "strided": ((8, 4, 3, 3), {"strides": [2, 1], "auto_pad": "SAME_UPPER"}),
    "dilated": ((8, 4, 2, 2), {"dilations": [2, 2]}),
    "grouped": ((8, 2, 3, 3), {"group": 2}),
    "depthwise": ((4, 1, 3, 3), {"group": 4, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "depthwise dilated": ((4, 1, 3, 3), {"group": 4, "dilations": [2, 1], "auto_pad": "SAME_LOWER"}),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolutions(kind: str) -> None:
    shape, attributes = CONVOLUTIONS[kind]
    check([node("Conv", ["x", "w", "b"], **attributes)], [weight("w", *shape), weight("b", shape[0])])


@pytest.mark.parametrize(
    "attributes", [{"strides": [2, 2]}, {"pads": [1, 1, 0, 1], "strides": [2, 1], "dilations": [1, 2]}, {"group": 2}]
)
def test_transposed_convolutions(attributes: dict[str, Any]) -> None:
    check([node("ConvTranspose", ["x", "w"], **attributes)], [weight("w", 4, 3, 3, 2)])


POOLS: dict[str, dict[str, Any]] = {
    "plain": {"kernel_shape": [2, 2], "strides": [2, 2]},
    "padded": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "ceiling": {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    "same": {"kernel_shape": [3, 2], "strides": [2, 1], "auto_pad": "SAME_UPPER"},
}


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pools(op: str, kind: str) -> None:
    check([node(op, **POOLS[kind])])


def test_an_average_pool_counts_its_pads() -> None:
    check([node("AveragePool", **POOLS["padded"], count_include_pad=1)])
    check([node("AveragePool", **POOLS["ceiling"], pads=[1, 1, 0, 0], count_include_pad=1)])


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "Softmax", "LogSoftmax", "LpNormalization", "Flatten"])
def test_operators_without_attributes(op: str) -> None:
    check([node(op)])


def test_normalizations() -> None:
    four = [weight(n, 4) for n in ("s", "o", "m")]
    check([node("Abs", ["m"], ["v"]), node("BatchNormalization", ["x", "s", "o", "m", "v"])], four)
    check([node("InstanceNormalization", ["x", "s", "o"])], four[:2])
    check([node("GroupNormalization", ["x", "s", "o"], num_groups=2)], four[:2])
    check([node("LayerNormalization", ["x", "l", "k"])], [weight("l", 6), weight("k", 6)], opset=17)
    check([node("LRN", size=3, alpha=0.1)])
    check([node("MeanVarianceNormalization")])


def test_movements() -> None:
    check([node("Transpose", perm=[0, 2, 3, 1])])
    check([node("Slice", ["x", "s", "e", "a", "t"])], [ints("s", 5, 0), ints("e", -7, 3), ints("a", 2, 3), ints("t", -1, 2)])
    check([node("Split", ["x", "n"], ["p", "q"], axis=1), node("Concat", ["q", "p"], axis=2)], [ints("n", 2, 2)])
    check([node("Gather", ["x", "i"], axis=1)], [ints("i", 3, -4, 1)])
    check([node("Tile", ["x", "n"])], [ints("n", 1, 2, 1, 3)])
    check([node("Pad", ["x", "p"], mode="reflect")], [ints("p", 0, 0, 1, 2, 0, 0, 2, 1)])
    check([node("Pad", ["x", "p"])], [ints("p", 0, 0, -1, 2, 0, 0, 2, -1)])
    check(
        [
            node("DepthToSpace", blocksize=2, mode="CRD"),
        ],
        shape=[1, 8, 3, 3],
    )
    check([node("SpaceToDepth", blocksize=2)])
    check([node("Expand", ["x", "n"])], [ints("n", 3, 4, 6, 6)])
    check([node("Trilu", ["x"])])
    check([node("CumSum", ["x", "a"], reverse=1)], [_axis(2)])


RESIZES: dict[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "linear": {"mode": "linear"},
    "corners": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    "cubic": {"mode": "cubic", "coordinate_transformation_mode": "pytorch_half_pixel", "exclude_outside": 1},
    "antialias": {"mode": "linear", "antialias": 1},
}


@pytest.mark.parametrize("kind", RESIZES)
@pytest.mark.parametrize("sizes", [(12, 18), (4, 9), (6, 3)])
def test_resizes(kind: str, sizes: tuple[int, int]) -> None:
    check([node("Resize", ["x", "", "", "n"], **RESIZES[kind])], [ints("n", 1, 4, *sizes)])


def test_a_resize_by_factors() -> None:
    from onnx import numpy_helper

    factors = numpy_helper.from_array(np.array([1, 1, 2.5, 0.5], np.float32), "f")
    check([node("Resize", ["x", "", "f"], mode="linear")], [factors])


def test_elements_by_index() -> None:
    check([node("GatherND", ["x", "i"])], [_indices("i", [[0, 1, -1], [0, 3, 2]])])
    check([node("GatherND", ["x", "i"], batch_dims=1)], [_indices("i", [[[1, -1], [3, 2]]])])
    updates = weight("u", 2, 6)
    for how in ("none", "add", "mul", "max", "min"):
        check([node("ScatterND", ["x", "i", "u"], reduction=how)], [_indices("i", [[0, 1, -1], [0, 3, 2]]), updates])
        constants = [_indices("i", [[[[0, -1, 2, 1, 0, 3]]]]), weight("u", 1, 1, 1, 6)]
        check([node("ScatterElements", ["x", "i", "u"], axis=2, reduction=how)], constants)


def test_the_largest_and_the_smallest() -> None:
    for attributes in ({"axis": 2}, {"axis": -1, "largest": 0}):
        check([node("TopK", ["x", "k"], ["y", "i"], **attributes)], [ints("k", 3)])
        check([node("TopK", ["x", "k"], ["v", "i"], **attributes), node("Cast", ["i"], to=FLOAT)], [ints("k", 3)])


def test_sequences_turned_round() -> None:
    check([node("ReverseSequence", ["x", "n"], batch_axis=1, time_axis=0)], [ints("n", 2, 5, 1)], shape=[5, 3, 4])
    check([node("ReverseSequence", ["x", "n"], batch_axis=0, time_axis=1)], [ints("n", 2, 4, 1)], shape=[3, 5, 4])


def test_norms_of_windows() -> None:
    check([node("LpPool", **POOLS["padded"], p=3)])
    whole = {"x": _traced(np.random.default_rng(0).standard_normal(MAP).astype(np.float32))}
    made = [
        np.asarray(run(load(model([each], [info("x", MAP)], [info("y", None)], [], 21)), whole, ["y"], Hooks({}))[0])
        for each in (node("GlobalLpPool", p=3), node("LpPool", p=3, kernel_shape=MAP[2:]))
    ]  # the reference has no global one
    np.testing.assert_allclose(made[0], made[1], rtol=1e-6)


def _indices(name: str, values: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(values, np.int64), name)


def _axis(index: int) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(index, np.int64), "a")


def test_products() -> None:
    check([node("MatMul", ["x", "w"])], [weight("w", 6, 5)])
    check([node("Gemm", ["x", "w", "b"], alpha=0.5, beta=2.0, transB=1)], [weight("w", 5, 6), weight("b", 5)], shape=[4, 6])
    check([node("Einsum", ["x", "w"], equation="nchw,cd->ndhw")], [weight("w", 4, 3)])


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_recurrent_layers(op: str, direction: str) -> None:
    gates, ways = {"RNN": 1, "GRU": 3, "LSTM": 4}[op], 2 if direction == "bidirectional" else 1
    constants = [weight("w", ways, gates * 5, 4), weight("r", ways, gates * 5, 5), weight("b", ways, 2 * gates * 5)]
    check([node(op, ["x", "w", "r", "b"], hidden_size=5, direction=direction)], constants, shape=[7, 2, 4])


CONV = node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1])
WEIGHTS = [weight("w", 4, 4, 3, 3), weight("b", 4)]
OWN: dict[str, tuple[list[NodeProto], list[Any], list[int]]] = {
    "FusedConv": ([CONV, node("Add", ["c", "x"], ["s"]), node("Relu", ["s"])], WEIGHTS, MAP),
    "FusedGemm": ([node("Gemm", ["x", "w", "b"], ["g"]), node("Relu", ["g"])], [weight("w", 6, 5), weight("b", 5)], [4, 6]),
    "Silu": ([node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"])], [], MAP),
    "Mish": ([node("Softplus", ["x"], ["s"]), node("Tanh", ["s"], ["t"]), node("Mul", ["x", "t"])], [], MAP),
}


def test_shapes_are_computed_while_the_function_is_traced() -> None:
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "one"], ["n"]), node("Concat", ["minus", "n"], ["t"], axis=0)]
    check([*nodes, node("Reshape", ["x", "t"])], [ints("one", 1), ints("minus", -1)])


@pytest.mark.parametrize("kind", OWN)
def test_own_operators_by_their_bodies(kind: str) -> None:
    """The optimised graph holds the operator, and gives the same."""
    nodes, constants, shape = OWN[kind]
    graph = load(model(nodes, [info("x", shape)], [info("y", None)], constants, 21))
    feed = {"x": generated(graph, 1).arrays["x"].reshape(shape)}
    expected = interpret(graph, feed)["y"]
    optimize(graph, 2, Context(level=2))
    assert any(each.op == kind for each in graph.nodes), graph
    (made,) = run(graph, {"x": _traced(feed["x"])}, [graph.outputs[0].name], Hooks({}))
    np.testing.assert_allclose(np.asarray(made), expected, rtol=1e-4, atol=1e-4)


def test_the_table_has_every_operator_that_was_tried() -> None:
    assert {*UNARY, *BINARY, *VARIADIC, *REDUCTIONS, *ACTIVATIONS} <= set(OPERATORS)
    assert FLOAT == 1
