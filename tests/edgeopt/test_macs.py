"""Multiply-accumulates against counts by hand, and bytes of parameters."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper, parser

from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.ops.macs import runs_within
from edgeopt.report.layers import layers, totals
from tests.kernels.integer.test_quant_gemm import product
from tests.kernels.quant_harness import Grid, conv_graphs


def model(signature: str, body: str, **weights: Array) -> ModelProto:
    """A model from ONNX's text form with ``weights`` as initializers."""
    proto = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> counted {signature} {{ {body} }}')
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return proto


def zeros(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


X = "(float[2,4,6,5] x) => (float[N,C,H,W] y)"


@pytest.mark.parametrize(
    ("body", "weight", "expected"),
    [
        pytest.param("y = Conv<pads=[1,1,1,1]>(x, w)", zeros(8, 4, 3, 3), 2 * 8 * 6 * 5 * 4 * 9, id="same"),
        pytest.param("y = Conv<strides=[2,2]>(x, w)", zeros(8, 4, 3, 3), 2 * 8 * 2 * 2 * 4 * 9, id="strided"),
        pytest.param("y = Conv<group=2>(x, w)", zeros(8, 2, 3, 3), 2 * 8 * 4 * 3 * 2 * 9, id="grouped"),
        pytest.param("y = Conv<group=4>(x, w)", zeros(4, 1, 3, 3), 2 * 4 * 4 * 3 * 9, id="depthwise"),
        pytest.param("y = ConvTranspose<strides=[2,2]>(x, w)", zeros(4, 3, 2, 2), 2 * 4 * 6 * 5 * 3 * 4, id="transposed"),
        pytest.param("y = MatMul(x, w)", zeros(5, 7), 2 * 4 * 6 * 5 * 7, id="matmul"),
        pytest.param('y = Einsum<equation="nchw,wk->nchk">(x, w)', zeros(5, 7), 2 * 4 * 6 * 5 * 7, id="einsum"),
        pytest.param("y = Add(x, w)", zeros(5), 0, id="elementwise"),
    ],
)
def test_counts_of_one_operator(body: str, weight: Array, expected: int) -> None:
    (row,) = layers(load(model(X, body, w=weight)))
    assert row.macs == expected
    assert row.parameter_bytes == weight.nbytes


@pytest.mark.parametrize(("transposed", "weight"), [(0, zeros(3, 7)), (1, zeros(2, 7))])
def test_a_transposed_gemm_counts_its_inner_axis(transposed: int, weight: Array) -> None:
    (row,) = layers(load(model("(float[2,3] x) => (float[M,N] y)", f"y = Gemm<transA={transposed}>(x, w)", w=weight)))
    assert row.macs == 2 * 3 * 7


def test_an_lstm_counts_every_step() -> None:
    signature = "(float[9,2,4] x) => (float[S,D,B,H] y)"
    proto = model(signature, "y = LSTM<hidden_size=5>(x, w, r)", w=zeros(1, 20, 4), r=zeros(1, 20, 5))
    assert totals(layers(load(proto))).macs == 9 * 2 * (20 * 4 + 20 * 5)


def test_if_counts_its_dearer_branch_and_all_parameters() -> None:
    def branch(columns: int) -> object:
        weight = numpy_helper.from_array(zeros(3, columns), f"w{columns}")
        output = helper.make_tensor_value_info(f"y{columns}", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node("MatMul", ["x", f"w{columns}"], [f"y{columns}"])], "b", [], [output], [weight])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch(7), else_branch=branch(11))
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3]),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, None])
    opset = [helper.make_opsetid("", 21)]
    (row,) = layers(load(helper.make_model(helper.make_graph([node], "g", inputs, [output]), opset_imports=opset, ir_version=10)))
    assert row.macs == 2 * 3 * 11
    assert row.parameter_bytes == 4 * 3 * (7 + 11)


def test_a_shared_weight_counts_once() -> None:
    rows = layers(load(model("(float[5,5] x) => (float[5,5] y)", "a = MatMul(x, w) y = MatMul(a, w)", w=zeros(5, 5))))
    assert [row.parameter_bytes for row in rows] == [100, 0]


def test_totals_name_the_operators() -> None:
    sums = totals(
        layers(load(model("(float[5,5] x) => (float[5,5] y)", "a = Relu(x) b = Relu(a) y = MatMul(b, w)", w=zeros(5, 5))))
    )
    assert (sums.nodes, sums.macs, sums.parameter_bytes, sums.unknown) == (3, 125, 100, 0)
    assert list(sums.ops.items()) == [("Relu", 2), ("MatMul", 1)]


def test_integer_products_count_as_those_they_came_from() -> None:
    x, y = Grid(0.02, 117), Grid(0.1, 131)
    w, scale, zero = np.ones((8, 2, 3, 3), np.int8), np.ones(8, np.float32), np.zeros(8, np.int8)
    convolution, _ = conv_graphs(x, (1, 4, 6, 5), w, scale, zero, None, y, {"group": 2})
    assert totals(layers(convolution)).macs == 8 * 4 * 3 * 2 * 9
    assert totals(layers(product((5,), 7, 16, "uint8"))).macs == 5 * 7 * 16


def test_fewer_runs_of_a_larger_network() -> None:
    graph = load(model("(float[5,5] x) => (float[5,5] y)", "y = MatMul(x, w)", w=zeros(5, 5)))
    assert [runs_within(graph, work, 2, 9) for work in (0, 125 * 4, 125 * 100)] == [2, 4, 9]
