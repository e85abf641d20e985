"""Integer convolutions by Winograd's F(2,3): the codes of the direct form, to the last bit."""

from __future__ import annotations

import platform
from dataclasses import replace
from math import inf

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.integer import quant_conv, quant_winograd
from edgeopt.lower.lowering import lower
from edgeopt.target import Target, target
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.quant_harness import Grid, codes, conv_graphs, expected

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="its code runs on x86 alone")

FAST, DIRECT = [quant_winograd.KERNEL], [quant_conv.KERNEL]
WIDE = target("x86-64-v3")
INPUT, RESULT = Grid(0.02, 117), Grid(0.11, 131)
Shape = tuple[int, ...]
PADDED: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
CASES: dict[str, tuple[Shape, int, dict[str, Attribute], Target]] = {
    "even": ((1, 16, 8, 12), 32, PADDED, WIDE),
    "odd": ((1, 24, 7, 9), 40, PADDED, WIDE),
    "in a batch": ((3, 8, 6, 5), 16, PADDED, WIDE),
    "few outputs": ((1, 12, 11, 10), 5, PADDED, WIDE),
    "without a border": ((1, 17, 9, 8), 19, {}, WIDE),
    "uneven borders": ((1, 16, 9, 8), 16, {"pads": [0, 1, 1, 0]}, WIDE),
    "two by two": ((1, 16, 2, 2), 16, PADDED, WIDE),
    "in blocks": ((1, 16, 21, 19), 24, PADDED, replace(WIDE, l2=30_000)),
    "by threads": ((2, 64, 5, 5), 72, PADDED, replace(WIDE, cores=4)),
    "narrow vectors": ((1, 20, 9, 7), 12, PADDED, replace(WIDE, vector_bytes=16, cpu="x86-64-v2", features="")),
}


def check(
    shape: Shape, outputs: int, attributes: dict[str, Attribute], where: Target, x: Grid = INPUT, y: Grid = RESULT,
    residual: Grid | None = None, w_dtype: str = "int8", w_zero: int = 0,
) -> None:  # fmt: skip
    weight, scale = codes(w_dtype, outputs, shape[1], 3, 3), RNG.uniform(0.001, 0.004, outputs).astype(np.float32)
    weight[0, 0], weight[-1, -1] = np.iinfo(w_dtype).min, np.iinfo(w_dtype).max
    zero, bias = np.full(outputs, w_zero, w_dtype), RNG.integers(-20000, 20000, outputs).astype(np.int32)
    graph, whole = conv_graphs(x, shape, weight, scale, zero, bias, y, attributes, residual)
    data: dict[str, Array] = {v.name: codes(v.type.dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    data["x"].reshape(-1)[: data["x"].size // 4] = np.iinfo(data["x"].dtype).max
    truth = run(graph, data, DIRECT, where)
    assert 0 < (truth == truth.reshape(-1)[0]).mean() < 0.9
    assert np.abs(truth.astype(int) - expected(whole, data).astype(int)).max() <= 1
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, data, FAST, where, by_chunks), truth)


@pytest.fixture(autouse=True)
def whatever_it_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quant_winograd, "GAIN", inf)


@pytest.mark.parametrize("case", CASES)
def test_makes_the_codes_of_the_direct_form(case: str) -> None:
    check(*CASES[case])


@pytest.mark.parametrize("channels", [7, 8, 9, 16, 33])
def test_channels_around_the_vector_width(channels: int) -> None:
    check((1, channels, 6, 5), 41 - channels, PADDED, WIDE)


@pytest.mark.parametrize("x", [Grid(0.02, -17, "int8"), Grid(0.02, 0), Grid(0.02, 255)])
def test_types_and_zero_points_of_the_input(x: Grid) -> None:
    check((1, 20, 9, 7), 32, PADDED, WIDE, x, Grid(0.2, 128))


def test_unsigned_weight_around_128() -> None:
    check((1, 16, 6, 6), 16, PADDED, WIDE, w_dtype="uint8", w_zero=128)


@pytest.mark.parametrize("kind", ["Relu", "Clip", "LeakyRelu", "HardSwish"])
@pytest.mark.parametrize("result", [Grid(0.0625, 128), Grid(0.05, -3, "int8"), Grid(0.05 / 256, 30000, "uint16")])
def test_residual_and_activation(kind: str, result: Grid) -> None:
    attributes = PADDED | {"activation": kind}
    attributes |= {"alpha": -0.5, "beta": 3.75} if kind == "Clip" else {"alpha": 0.1} if kind == "LeakyRelu" else {}
    check((1, 24, 7, 9), 20, attributes, WIDE, y=result, residual=Grid(0.05, 3, "uint8"))


@pytest.mark.parametrize(
    ("shape", "attributes", "reason"),
    [
        ((1, 16, 8, 8), {"strides": [2, 2], "pads": [1, 1, 1, 1]}, "not 3x3 of stride one"),
        ((1, 16, 3, 8), {}, "maps are too small"),
        ((1, 1808, 4, 4), {"pads": [1, 1, 1, 1]}, "may not fit 32 bits"),
    ],
)
def test_declines(shape: Shape, attributes: dict[str, Attribute], reason: str) -> None:
    weight, scale = codes("int8", 8, shape[1], 3, 3), np.full(8, 0.01, np.float32)
    graph, _ = conv_graphs(Grid(0.02, 7), shape, weight, scale, np.zeros(8, np.int8), None, Grid(0.1, 3), attributes)
    (fallback,) = lower(graph, WIDE, "single", FAST).fallbacks
    assert reason in fallback.reason


@pytest.mark.parametrize(("where", "fast"), [("x86-64-v3", True), ("x86-64-v4", False), ("cortex-a53", False)])
def test_serves_targets_that_multiply_words(where: str, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    weight, scale = codes("int8", 64, 64, 3, 3), np.full(64, 0.01, np.float32)
    graph, _ = conv_graphs(Grid(0.02, 7), (1, 64, 8, 8), weight, scale, np.zeros(64, np.int8), None, Grid(0.1, 3), PADDED)
    for facts, expected_fast in ((target(where), fast), (replace(target(where), small=True), False)):
        steps = lower(graph, facts, "single", [*FAST, *DIRECT]).native
        assert any("quant_winograd" in step.call.full_name for step in steps) == expected_fast
