"""Folded graphs against onnxruntime with optimizations off: at most one code apart, and that rarely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.frontend import export
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from edgeopt.pipeline import optimize
from tests.passes.building import closed
from tests.strategies import Draft, Drawn

onnxruntime = pytest.importorskip("onnxruntime")
ONE_CODE_APART = 1e-3


def by_onnxruntime(graph: Graph, feeds: dict[str, Array]) -> dict[str, Array]:
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(export(graph).SerializeToString(), settings, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))


@st.composite
def layers(draw: st.DrawFn) -> Graph:
    """DQ -> Conv (dense, strided, dilated or depthwise, odd channel counts) [+ residual] [Relu] -> Q, codes as output."""
    choice = Drawn(draw)
    draft = Draft(choice, choice.pick([13, 17]))
    depthwise, channels = choice.integer(0, 1), choice.pick([1, 2, 3, 5, 7, 8, 9, 16, 17])
    width, group = (channels, channels) if depthwise else (choice.pick([1, 3, 8, 15, 17]), 1)
    size, signed = choice.integer(1, 3), choice.integer(0, 1)
    dtype, low, high = ("int8", -128, 127) if signed else ("uint8", 0, 255)
    zero = draft.constant(choice.integer(low, high), dtype)
    scale = draft.constant(draw(st.floats(2.0**-13, 8.0, width=32)))
    generator = np.random.default_rng(choice.integer(0, 10**6))
    x = draft.input((1, channels, 8, 7), dtype)
    scales = draft.constant(generator.uniform(1e-3, 2e-2, width))
    codes = draft.constant(generator.integers(-127, 128, (width, channels // group, size, size)), "int8")
    bias = draft.constant(generator.integers(-20000, 20000, width), "int32")
    inputs = [
        draft.op("DequantizeLinear", x, scale, zero),
        draft.op("DequantizeLinear", codes, scales, draft.constant(np.zeros(width), "int8"), axis=0),
        draft.op("DequantizeLinear", bias, draft.constant(scale.array * scales.array), axis=0),
    ]
    reach, stride = (size - 1) // 2, choice.integer(1, 2)
    y = draft.op("Conv", *inputs, group=group, pads=(reach,) * 4, strides=(stride, stride))
    y = draft.op("Relu", y) if choice.integer(0, 1) else y
    deviation = float(scale.array) * 70 * 0.012 * 70 * np.sqrt(channels // group * size * size)
    result = (
        draft.constant(float(deviation / choice.pick([10.0, 40.0, 200.0]))),
        draft.constant(choice.integer(low, high), dtype),
    )
    return closed(draft, draft.op("QuantizeLinear", y, *result))


@given(graph=layers(), seed=st.integers(0, 2**31))
def test_integer_layers_agree_with_onnxruntime(graph: Graph, seed: int) -> None:
    (value,) = graph.inputs
    assert value.type is not None
    low, high = (-128, 128) if value.type.dtype == "int8" else (0, 256)
    feeds = {value.name: np.random.default_rng(seed).integers(low, high, value.type.dims).astype(value.type.dtype)}
    (expected,) = by_onnxruntime(graph, feeds).values()
    optimize(graph)
    assert [n.op for n in graph.nodes] == ["QuantConv"]
    (actual,) = interpret(graph, feeds).values()
    apart = np.abs(expected.astype(int) - actual.astype(int))
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= max(1, ONE_CODE_APART * apart.size)
