"""Graphs with codes of 16 bits: folded against onnxruntime with optimizations off, and the scheme w8a16."""

from __future__ import annotations

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.evaluate.metrics import accuracy
from edgeopt.ir import Graph, Value
from edgeopt.pipeline import optimize
from tests.edgeopt.command_line import DIGITS, EVALUATION, EXAMPLES
from tests.edgeopt.test_integer_graphs import by_onnxruntime
from tests.passes.building import closed
from tests.strategies import Draft, Drawn

CALIBRATION = EXAMPLES / "digits.cal.npz"
LIMITS = {"int16": (-32768, 32767), "uint16": (0, 65535), "int8": (-128, 127), "uint8": (0, 255)}


@st.composite
def layers(draw: st.DrawFn) -> Graph:
    """DQ -> Conv or MatMul [+ residual of another width] [Relu] -> Q, at least one of them 16 bits wide."""
    choice = Drawn(draw)
    draft = Draft(choice, 21)
    types = [choice.pick(list(LIMITS)) for _ in range(3)]
    types[choice.integer(0, 2)] = choice.pick(["int16", "uint16"])
    generator = np.random.default_rng(choice.integer(0, 10**6))
    channels, width = choice.pick([1, 3, 8, 16, 17]), choice.pick([1, 5, 16, 33])
    conv, size = choice.integer(0, 1), choice.integer(1, 3) if choice.integer(0, 1) else 1
    x = draft.input((1, channels, 7, 6) if conv else (3, channels), types[0])
    scales = generator.uniform(1e-3, 1e-2, width)
    shape = (width, channels, size, size) if conv else (channels, width)
    weight = draft.op(
        "DequantizeLinear",
        draft.constant(generator.integers(-127, 128, shape), "int8"),
        draft.constant(scales),
        draft.constant(np.zeros(width), "int8"),
        axis=0 if conv else 1,
    )
    real = dequantized(draft, x, types[0], 0.02)
    pads = ((size - 1) // 2,) * 4
    y = draft.op("Conv", real, weight, pads=pads) if conv else draft.op("MatMul", real, weight)
    deviation = 0.02 * 74 * 0.006 * 74 * float(np.sqrt(channels * (size * size if conv else 1)))
    if choice.integer(0, 1) and y.type is not None and conv:
        residual = dequantized(draft, draft.input(y.type.dims, types[1]), types[1], deviation / 64)
        y = draft.own("FusedConv", real, weight, None, residual, pads=pads)
    y = draft.op("Relu", y) if choice.integer(0, 1) else y
    return closed(draft, draft.op("QuantizeLinear", y, *grid(draft, types[2], deviation / 40)))


def grid(draft: Draft, dtype: str, scale: float) -> tuple[Value, Value]:
    """A grid of steps of ``scale`` for 8 bits, 256 times finer for 16."""
    low, high = LIMITS[dtype]
    step = scale / (256 if dtype.endswith("16") else 1)
    return draft.constant(step), draft.constant(draft.choice.integer(low, high) // 2, dtype)


def dequantized(draft: Draft, x: Value, dtype: str, scale: float) -> Value:
    return draft.op("DequantizeLinear", x, *grid(draft, dtype, scale))


@settings(max_examples=10, phases=[Phase.generate])
@given(graph=layers(), seed=st.integers(0, 2**31))
def test_layers_agree_with_onnxruntime(graph: Graph, seed: int) -> None:
    generator, feeds = np.random.default_rng(seed), {}
    for value in graph.inputs:
        assert value.type is not None
        low, high = LIMITS[value.type.dtype]
        feeds[value.name] = generator.integers(low, high + 1, value.type.dims).astype(value.type.dtype)
    (expected,) = by_onnxruntime(graph, feeds).values()
    optimize(graph)
    assert [n.op for n in graph.nodes] in (["QuantConv"], ["QuantGemm"])
    (actual,) = edgeopt.compile(graph, level=0).run(feeds).values()
    assert actual.dtype == expected.dtype
    apart = np.abs(expected.astype(int) - actual.astype(int))
    assert apart.max() <= 1  # their sums are taken in float32, so that of codes of 16 bits some round the other way
    assert np.count_nonzero(apart) <= max(1, 0.05 * apart.size)


def test_digits() -> None:
    made = edgeopt.compile(DIGITS, level=1, options=edgeopt.Options(quantize="w8a16"), data=EVALUATION, calibration=CALIBRATION)
    held = np.load(EVALUATION)
    types = {v.type.dtype for n in made.graph.nodes for v in n.outputs if v.type is not None} if made.graph is not None else set()
    assert "int16" in types and made.manifest["quantization"]["scheme"] == "w8a16"
    result, plain = (m.run({"image": held["image"]})["logits"] for m in (made, edgeopt.compile(DIGITS, level=1)))
    assert accuracy(result, held["labels"]) >= accuracy(plain, held["labels"]) - 0.3
    coarse = edgeopt.compile(DIGITS, level=1, options=edgeopt.Options(quantize="w8a8"), data=EVALUATION, calibration=CALIBRATION)
    assert np.abs(result - plain).mean() < np.abs(coarse.run({"image": held["image"]})["logits"] - plain).mean()
