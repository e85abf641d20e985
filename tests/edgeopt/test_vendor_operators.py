"""The operators that onnxruntime writes are read as it computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export, load
from edgeopt.frontend.vendor import CONTRACTS, DOMAIN
from edgeopt.interpret import interpret
from edgeopt.pipeline import optimize
from tests.edgeopt import operator_versions
from tests.edgeopt.operator_versions import Case, Constant, real
from tests.edgeopt.runtime_oracle import run

CODES = np.random.default_rng(3)


def codes(*shape: int, dtype: str = "uint8") -> Any:
    """Random codes of all values."""
    return CODES.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def grid(scale: float, zero: int, dtype: str = "uint8") -> tuple[Constant, Constant]:
    """Scale and zero point."""
    return Constant(np.float32(scale)), Constant(np.asarray(zero, dtype))


def weights(*shape: int) -> Constant:
    """Constant int8 codes, of which onnxruntime saturates no sum of two products where the processor lacks VNNI (vpmaddubsw)."""
    return Constant(halved(codes(*shape, dtype="int8")))


def halved(array: Any) -> Any:
    """Codes of half the range."""
    return array // array.dtype.type(2)


X, W, B = real(1, 4, 6, 6), Constant(real(4, 4, 3, 3)), Constant(real(4))
ROWS, VECTOR = real(2, 3, 8), Constant(real(8))
A_GRID, B_GRID, Y_GRID = grid(0.0213, 120), grid(0.0317, 110), grid(0.0431, 130)
IDS = np.random.default_rng(1).integers(0, 6, (2, 4)).astype(np.int32)
TABLES = Constant(real(10, 8)), Constant(real(6, 8)), Constant(real(6, 8))
MASK = np.asarray([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)
STEPS = Constant(np.abs(real(5)) * np.float32(0.01))
FLOAT_CASES = [
    Case("FusedConv", [X, W, B], {"activation": "Relu", "pads": [1, 1, 1, 1]}),
    Case("FusedConv", [X, W, B, real(1, 4, 4, 4)], {"activation": "LeakyRelu", "activation_params": [0.2]}),
    Case("FusedConv", [X, W, None, real(1, 4, 4, 4)], {"activation": "Clip", "activation_params": [0.0, 6.0]}),
    Case("FusedConv", [X, W], {"activation": "HardSigmoid", "activation_params": [0.2, 0.5]}),
    Case(
        "FusedGemm", [real(3, 4), Constant(real(5, 4)), STEPS], {"activation": "LeakyRelu", "activation_alpha": 0.3, "transB": 1}
    ),
    Case("FusedGemm", [real(3, 4), Constant(real(4, 5))], {"activation": "Relu", "alpha": 0.5}),
    Case("FusedMatMul", [real(2, 4, 3), real(2, 5, 4)], {"transA": 1, "transB": 1, "alpha": 0.5}),
    Case("FusedMatMul", [real(3, 2, 6, 4), real(2, 6, 5, 4)], {"transBatchA": 1, "transB": 1}),
    Case("FusedMatMul", [real(3, 2, 4), real(2, 4, 5)], {"transBatchA": 1}),
    Case("TransposeMatMul", [real(4, 3), real(4, 5)], {"transA": 1}),
    Case(
        "ConvTransposeWithDynamicPads",
        [real(1, 2, 4, 4), Constant(real(2, 3, 3, 3)), Constant(np.ones(4, np.int64)), Constant(real(3))],
        {"strides": [2, 2]},
    ),
    *[Case(op, [ROWS]) for op in ("Gelu", "FastGelu", "QuickGelu")],
    *[Case(op, [ROWS, VECTOR]) for op in ("BiasGelu", "FastGelu")],
    Case("SkipLayerNormalization", [ROWS, real(2, 3, 8), VECTOR, VECTOR], outputs=4),
    Case("SkipLayerNormalization", [ROWS, real(1, 3, 8), VECTOR, VECTOR, VECTOR], {"epsilon": 1e-5}),
    Case("SkipSimplifiedLayerNormalization", [ROWS, real(2, 3, 8), VECTOR, VECTOR], {"epsilon": 1e-3}),
    Case("EmbedLayerNormalization", [IDS, IDS % 6, *TABLES, VECTOR, VECTOR, MASK], outputs=2),
    Case("EmbedLayerNormalization", [IDS, None, *TABLES[:2], None, VECTOR, VECTOR, None, IDS % 5], outputs=3),
    Case("DynamicQuantizeMatMul", [real(3, 8), weights(8, 5), STEPS, None, Constant(real(5))]),
    Case("MatMulIntegerToFloat", [codes(3, 8), weights(8, 5), A_GRID[0], STEPS, A_GRID[1]]),
    Case("MatMulIntegerToFloat", [codes(2, 3, 8), weights(8, 5), A_GRID[0], B_GRID[0], A_GRID[1], None, Constant(real(5))]),
    Case(
        "QGemm",
        [codes(3, 8), *A_GRID, weights(8, 5), *grid(0.03, 0, "int8"), Constant(np.arange(5, dtype=np.int32))],
        {"alpha": 0.5},
    ),
    Case("DequantizeLinear", [codes(3, 4, dtype="uint16"), *grid(0.02, 30000, "uint16")]),
    Case("DequantizeLinear", [codes(3, 5), STEPS, Constant(codes(5))], {"axis": 1}),
]
LEAKY, MAP = {"alpha": 0.1}, codes(1, 3, 6, 6)
CODE_CASES = [
    Case("QLinearAdd", [MAP, *A_GRID, codes(1, 3, 6, 6), *B_GRID, *Y_GRID]),
    *[
        Case("QLinearAdd", [codes(1, 3, 9, 9), *grid(0.02, 120), codes(*shape), *grid(0.03, 110), *grid(0.04, 130)])
        for shape in ((1, 3, 9, 9), (9, 9))  # scales of which many sums lie halfway between two codes
    ],
    Case("QLinearMul", [MAP, *A_GRID, codes(1, 3, 1, 1), *B_GRID, *Y_GRID]),
    Case("QLinearConcat", [*Y_GRID, MAP, *A_GRID, codes(1, 2, 6, 6), *B_GRID], {"axis": 1}),
    Case("QLinearLeakyRelu", [MAP, *A_GRID, *B_GRID], LEAKY),
    Case("QLinearSigmoid", [MAP, *A_GRID, *grid(1 / 256, 0)]),
    Case("QLinearSigmoid", [codes(3, 4, dtype="int8"), *grid(0.02, 20, "int8"), *grid(1 / 256, -128, "int8")]),
    *[
        Case("QLinearSoftmax", [codes(2, 3, 4), *A_GRID, *grid(1 / 256, 0)], {"axis": axis, "opset": opset})
        for axis, opset in ((-1, 13), (1, 13), (1, 12))
    ],
    Case("QLinearAveragePool", [MAP, *A_GRID, *B_GRID], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    *[Case("QLinearGlobalAveragePool", [MAP, *A_GRID, *B_GRID], {"channels_last": last}) for last in (0, 1)],
    Case("QLinearWhere", [real(3, 4) > 0, codes(3, 4), *A_GRID, codes(3, 4), *B_GRID, *Y_GRID]),
    Case("QLinearConv", [MAP, *A_GRID, weights(2, 3, 3, 3), *grid(0.01, 0, "int8"), *grid(0.3, 110)]),
    Case(
        "QGemm",
        [codes(3, 8), *A_GRID, weights(5, 8), STEPS, Constant(np.zeros(5, np.int8)), None, *grid(0.3, 128)],
        {"transB": 1},
    ),
    Case("QGemm", [codes(8, 3), *A_GRID, weights(8, 5), *grid(0.03, 3, "int8"), None, *grid(0.3, 128)], {"transA": 1}),
    Case("QuantizeLinear", [real(3, 4), *grid(0.001, -300, "int16")]),
]


def model_of(cases: list[Case], opset: int) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """One model of all ``cases``."""
    model, feeds = operator_versions.model_of(cases, opset)
    for node in model.graph.node:
        node.domain = DOMAIN
    model.opset_import.add(domain=DOMAIN, version=1)
    return model, feeds


@pytest.mark.parametrize("opset", [11, 17, 21])
def test_floats(opset: int) -> None:
    model, feeds = model_of(FLOAT_CASES, opset)
    for name, array in run(model, feeds).items():
        actual = interpret(load(model), feeds)[name]
        np.testing.assert_allclose(actual, array, 1e-4, 1e-4, err_msg=name)


def test_codes_are_equal_natively() -> None:
    model, feeds = model_of(CODE_CASES, 13)
    actual = edgeopt.compile(model, level=1).run(feeds)
    for name, array in run(model, feeds).items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)


def test_every_contract_is_tried() -> None:
    tried = {case.op for case in FLOAT_CASES + CODE_CASES}
    apart = {"DynamicQuantizeLSTM", "LayerNormalization", "QLinearReduceMean", "SimplifiedLayerNormalization"}
    assert set(CONTRACTS) - tried == apart


@pytest.mark.parametrize(("dtype", "zero", "rows"), [("int8", 0, False), ("int8", 0, True), ("uint8", 120, True)])
def test_an_lstm_is_read_by_the_weights_that_its_codes_stand_for(dtype: str, zero: int, rows: bool) -> None:
    """onnxruntime rounds inputs and states to 8 bits besides, which is what the tolerance is for."""
    hidden, width = 3, 4
    shape = (1, 4 * hidden) if rows else (1,)
    grids = [Constant(np.full(shape, step, np.float32)) for step in (0.004, 0.006)]
    point = Constant(np.full(shape, zero, dtype))
    drawn = [codes(1, depth, 4 * hidden, dtype=dtype) for depth in (width, hidden)]
    stored = [Constant(array if zero else halved(array)) for array in drawn]  # see ``weights``
    inputs = [real(5, 2, width), *stored, Constant(real(1, 8 * hidden)), None, None, None, None]
    case = Case("DynamicQuantizeLSTM", [*inputs, grids[0], point, grids[1], point], {"hidden_size": hidden}, outputs=3)
    model, feeds = model_of([case], 17)
    compiled = edgeopt.compile(model, level=1)
    kernels = {k["op"] for k in compiled.manifest["kernels"]}
    assert kernels == {"LSTM" if zero else "HybridLSTM"} and not compiled.manifest["fallbacks"]
    for name, array in run(model, feeds).items():
        np.testing.assert_allclose(compiled.run(feeds)[name], array, atol=0.03, err_msg=name)


def test_what_is_fused_again() -> None:
    model, _ = model_of([case for case in FLOAT_CASES if case.op in ("FusedConv", "FastGelu", "MatMulIntegerToFloat")], 13)
    graph = load(model)
    optimize(graph)
    assert {node.op for node in graph.nodes} == {"FusedConv", "Gelu", "Add", "DynamicGemm"}
    assert DOMAIN not in graph.opsets


def test_mean_of_codes() -> None:
    """onnxruntime has no kernel for it."""
    model, feeds = model_of([Case("QLinearReduceMean", [codes(2, 3, 4), *A_GRID, *A_GRID], {"axes": [1], "keepdims": 0})], 13)
    (result,) = interpret(load(model), feeds).values()
    np.testing.assert_allclose(result, next(iter(feeds.values())).mean(axis=1), atol=0.5)


@pytest.mark.parametrize(("op", "count"), [("LayerNormalization", 3), ("SimplifiedLayerNormalization", 2)])
def test_normalization_under_the_domain_of_onnx(op: str, count: int) -> None:
    """onnxruntime writes it there at every operator set, with its statistics as outputs."""
    inputs = [ROWS, VECTOR, VECTOR] if count == 3 else [ROWS, VECTOR]
    model, feeds = model_of([Case(op, inputs, {"epsilon": 1e-3, "axis": -1}, outputs=count)], 12)
    model.graph.node[0].domain = ""
    actual = interpret(load(model), feeds)
    for name, array in run(model, feeds).items():
        np.testing.assert_allclose(actual[name], array, 1e-4, 1e-5, err_msg=name)


def test_an_attribute_of_unknown_meaning_is_refused() -> None:
    model, _ = model_of([Case("Gelu", [ROWS], {"softcap": 2.0})], 17)
    with pytest.raises(EdgeoptError, match="Gelu 'Gelu_0' has the attribute 'softcap', whose meaning"):
        load(model)


def test_a_function_of_the_model_comes_first() -> None:
    """A model that brings a function by a vendor's name means that function."""
    model, feeds = model_of([Case("Gelu", [ROWS])], 17)
    body = [helper.make_node("Neg", ["a"], ["b"])]
    model.functions.append(helper.make_function(DOMAIN, "Gelu", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    (result,) = interpret(load(model), feeds).values()
    np.testing.assert_array_equal(result, -ROWS)


def convolutions(opset: int) -> onnx.ModelProto:
    """Conv, Relu, Conv, Add, Relu: what onnxruntime fuses at its extended level."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "b"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    info = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 4, 6, 6]) for n in "xy"]
    graph = helper.make_graph(nodes, "residual", info[:1], info[1:], [numpy_helper.from_array(real(4, 4, 3, 3), "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def test_a_network_that_onnxruntime_optimised(tmp_path: Any) -> None:
    runtime = pytest.importorskip("onnxruntime")
    model, feeds = convolutions(13), {"x": X}
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "optimised.onnx"), 3
    runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    assert "FusedConv" in {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}
    actual = interpret(load(tmp_path / "optimised.onnx"), feeds)["y"]
    np.testing.assert_allclose(actual, run(model, feeds)["y"], 1e-4, 1e-4)
    assert not {n.domain for n in export(load(tmp_path / "optimised.onnx")).graph.node} & {DOMAIN}
