"""Graphs in the form of onnxruntime's dynamic quantisation against onnxruntime with optimizations off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, TensorType, Value
from edgeopt.ops.macs import macs
from edgeopt.pipeline import optimize
from tests.edgeopt.test_integer_graphs import by_onnxruntime
from tests.passes.building import closed
from tests.strategies import Draft, Drawn, Seeded

UNSATURATED = 64  # largest weight of which onnxruntime saturates no sum of two products without VNNI (vpmaddubsw)


@st.composite
def layers(draw: st.DrawFn) -> Graph:
    """DynamicQuantizeLinear -> MatMulInteger or ConvInteger -> Cast -> Mul [-> Add] [-> Relu]; codes are outputs too."""
    choice = Drawn(draw)
    draft = Draft(choice, choice.pick([13, 17, 21]))
    generator = np.random.default_rng(choice.integer(0, 10**6))
    conv, per_channel = choice.integer(0, 1), choice.integer(0, 1)
    width, channels, size = choice.integer(1, 20), choice.integer(1, 20), choice.integer(1, 3)
    x = draft.input((1, channels, 7, 6) if conv else (choice.integer(1, 3), channels))
    shape = (width, channels, size, size) if conv else (channels, width)
    weight, zero = draft.constant(generator.integers(-UNSATURATED, UNSATURATED + 1, shape), "int8"), draft.constant(0, "int8")
    steps = generator.uniform(1e-3, 2e-2, (width, 1, 1) if conv else width) if per_channel else 0.01
    draft.op("DynamicQuantizeLinear", x, outputs=3)
    codes, scale, x_zero = draft.made
    factor = draft.op("Mul", scale, draft.constant(steps))
    pads: dict[str, Any] = {"pads": (choice.integer(0, size - 1),) * 4} if conv else {}
    sums = draft.op("ConvInteger" if conv else "MatMulInteger", codes, weight, x_zero, zero, **pads)
    y = draft.op("Mul", draft.op("Cast", sums, to=1), factor)
    y = draft.op("Add", y, draft.weight(*((width, 1, 1) if conv else (width,)))) if choice.integer(0, 1) else y
    y = draft.op("Relu", y) if choice.integer(0, 1) else y
    return closed(draft, y, codes, scale, x_zero)


def feed(value: Value, kind: str, seed: int) -> Array:
    assert value.type is not None
    noise = np.random.default_rng(seed).standard_normal(value.type.dims).astype(np.float32)
    return {"normal": noise, "positive": np.abs(noise), "constant": np.full_like(noise, -0.37), "zero": np.zeros_like(noise)}[
        kind
    ]


@settings(max_examples=12)
@given(graph=layers(), kind=st.sampled_from(["normal", "normal", "positive", "constant", "zero"]), seed=st.integers(0, 2**31))
def test_layers_agree_with_onnxruntime(graph: Graph, kind: str, seed: int) -> None:
    (value,) = graph.inputs
    feeds = {value.name: feed(value, kind, seed)}
    expected = by_onnxruntime(graph, feeds)
    optimize(graph)
    assert [n.op for n in graph.nodes][0] == "DynamicQuantizeLinear" and graph.nodes[1].op in ("DynamicConv", "DynamicGemm")
    assert len(graph.nodes) == 2
    actual = edgeopt.compile(graph, level=0).run(feeds)
    real, *grid = expected
    for name in grid:
        np.testing.assert_array_equal(actual[name], expected[name])
    np.testing.assert_allclose(actual[real], expected[real], rtol=1e-6, atol=1e-6 * float(np.abs(expected[real]).max()))
    if kind != "zero":  # for zeros the reference divides its scale of 1 by 255
        np.testing.assert_allclose(interpret(graph, feeds)[real], expected[real], rtol=1e-6, atol=1e-5)


def matrix(opset: int = 17) -> Graph:
    """Rows of a matrix product in the integer form, with a bias."""
    draft = Draft(Seeded(3), opset)
    x = draft.input((3, 40))
    draft.op("DynamicQuantizeLinear", x, outputs=3)
    codes, scale, zero = draft.made
    weight = draft.constant(np.random.default_rng(5).integers(-UNSATURATED, UNSATURATED + 1, (40, 50)), "int8")
    sums = draft.op("MatMulInteger", codes, weight, zero, draft.constant(0, "int8"))
    factor = draft.op("Mul", scale, draft.constant(0.01))
    y = draft.op("Add", draft.op("Mul", draft.op("Cast", sums, to=1), factor), draft.weight(50))
    return closed(draft, y)


@pytest.mark.parametrize("level", ["basic", "extended"])
def test_what_onnxruntime_makes_of_it(level: str, tmp_path: Path) -> None:
    """Its fused operators are read too: DynamicQuantizeMatMul and, without it, MatMulIntegerToFloat."""
    graph, path = matrix(), tmp_path / "optimized.onnx"
    feeds = {graph.inputs[0].name: np.random.default_rng(1).standard_normal((3, 40)).astype(np.float32)}
    (expected,) = by_onnxruntime(graph, feeds).values()
    onnxruntime = pytest.importorskip("onnxruntime")
    settings_ = onnxruntime.SessionOptions()
    settings_.optimized_model_filepath, settings_.log_severity_level = str(path), 3
    settings_.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level.upper()}")
    onnxruntime.InferenceSession(export(graph).SerializeToString(), settings_, providers=["CPUExecutionProvider"])
    written = [n.op_type for n in onnx.load(path).graph.node]
    assert {"basic": "MatMulInteger", "extended": "DynamicQuantizeMatMul"}[level] in written
    made = load(path)
    optimize(made)
    assert [n.op for n in made.nodes] == ["DynamicQuantizeLinear", "DynamicGemm"]
    (actual,) = edgeopt.compile(made, level=0).run(feeds).values()
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-5)


def test_codes_times_weights_to_float() -> None:
    draft = Draft(Seeded(3), 17)
    x, scale, zero = draft.input((3, 40), "uint8"), draft.constant(0.03), draft.constant(117, "uint8")
    weight = draft.constant(np.random.default_rng(5).integers(-UNSATURATED, UNSATURATED + 1, (40, 50)), "int8")
    steps, bias = draft.weight(50, low=0.001, high=0.01), draft.weight(50)
    node = draft.graph.make(
        "MatMulIntegerToFloat",
        [x, weight, scale, steps, zero, None, bias],
        [TensorType("float32", (3, 50))],
        domain="com.microsoft",
    )
    draft.graph.opsets["com.microsoft"] = 1
    made = closed(draft, node.output)
    feeds = {x.name: np.random.default_rng(1).integers(0, 256, (3, 40)).astype(np.uint8)}
    (expected,) = by_onnxruntime(made, feeds).values()
    graph = load(export(made))
    (actual,) = edgeopt.compile(graph, level=1).run(feeds).values()
    assert [n.op for n in graph.nodes] == ["DynamicGemm"]
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-5)


def test_products_are_counted() -> None:
    graph = matrix()
    before = macs(next(n for n in graph.nodes if n.op == "MatMulInteger"))
    optimize(graph)
    assert before == macs(graph.nodes[-1]) == 3 * 40 * 50
