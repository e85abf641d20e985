from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.integer.quant_conv import KERNEL
from edgeopt.kernels.integer.quant_product_plain import KERNELS as PLAIN
from edgeopt.ops import infer_types
from edgeopt.target import Target
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.quant_harness import Grid, codes, compare, conv_graphs, expected

Shape = tuple[int, ...]
INPUT, RESULT = Grid(0.02, 117), Grid(0.11, 131)
CASES: dict[str, tuple[Shape, Shape, dict[str, Attribute]]] = {
    "1x1 flat": ((1, 32, 7, 7), (48, 32, 1, 1), {}),
    "1x1 strided": ((1, 16, 9, 11), (16, 16, 1, 1), {"strides": [2, 2]}),
    "3x3 padded": ((1, 16, 14, 13), (32, 16, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3 strided, uneven pads": ((1, 16, 17, 15), (16, 16, 3, 3), {"pads": [0, 1, 1, 0], "strides": [2, 1]}),
    "3x3 dilated": ((1, 16, 12, 12), (16, 16, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "5x3 in a batch": ((3, 24, 8, 9), (40, 24, 5, 3), {"pads": [2, 1, 2, 1]}),
    "grouped": ((2, 64, 6, 6), (96, 32, 3, 3), {"pads": [1, 1, 1, 1], "group": 2}),
    "groups of four": ((1, 32, 6, 7), (32, 4, 3, 3), {"pads": [1, 1, 1, 1], "group": 8}),
    "groups of five": ((1, 15, 6, 5), (21, 5, 2, 3), {"group": 3}),
    "few outputs": ((1, 32, 6, 7), (2, 32, 1, 1), {}),
    "image": ((1, 3, 23, 21), (24, 3, 7, 7), {"pads": [3, 3, 3, 3], "strides": [2, 2]}),
    "one channel": ((1, 1, 8, 8), (16, 1, 3, 3), {"pads": [1, 1, 1, 1]}),
    "one pixel": ((1, 64, 1, 1), (96, 64, 1, 1), {}),
    "vectors left over": ((1, 112, 7, 7), (112, 112, 3, 3), {"pads": [1, 1, 1, 1]}),
}


def check(
    shape: Shape, weight: Shape, attributes: dict[str, Attribute], table: Sequence[Kernel], x: Grid = INPUT,
    y: Grid = RESULT, residual: Grid | None = None, w_dtype: str = "int8", w_zero: int = 0, where: Target | str = "host",
) -> None:  # fmt: skip
    scale = RNG.uniform(0.001, 0.004, weight[0]).astype(np.float32)
    zero = np.full(weight[0], w_zero, w_dtype)
    bias = RNG.integers(-20000, 20000, weight[0]).astype(np.int32)
    fused, whole = conv_graphs(x, shape, codes(w_dtype, *weight), scale, zero, bias, y, attributes, residual)
    data: dict[str, Array] = {v.name: codes(v.type.dtype, *v.type.dims) for v in fused.inputs if v.type is not None}
    truth = expected(whole, data)
    assert 0 < (truth == truth.reshape(-1)[0]).mean() < 0.9
    for by_chunks in (False, True):
        compare(run(fused, data, table, where, by_chunks), truth)


@pytest.mark.parametrize("table", [[KERNEL], PLAIN], ids=["blocked", "plain"])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_meaning(case: str, table: Sequence[Kernel]) -> None:
    check(*CASES[case], table)


@pytest.mark.parametrize("channels", [1, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33])
def test_channels_around_the_vector_width(channels: int) -> None:
    check((1, channels, 6, 5), (40 - channels, channels, 3, 3), {"pads": [1, 1, 1, 1]}, [KERNEL])


@pytest.mark.parametrize("kind", ["Relu", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh"])
@pytest.mark.parametrize("table", [[KERNEL], PLAIN], ids=["blocked", "plain"])
@pytest.mark.parametrize("result", [Grid(0.0625, 128), Grid(0.05, -3, "int8"), Grid(0.03, 0)])
def test_residual_and_activation(kind: str, result: Grid, table: Sequence[Kernel]) -> None:
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "activation": kind}
    attributes |= {"alpha": -0.5, "beta": 3.75} if kind == "Clip" else {"alpha": 0.1} if kind == "LeakyRelu" else {}
    added = Grid(0.05, 3, result.dtype)
    check((1, 24, 7, 9), (20, 24, 3, 3), attributes, table, y=result, residual=added)


@pytest.mark.parametrize("dtype, zero", [("int8", -17), ("int8", 0), ("uint8", 0), ("uint8", 255)])
def test_types_and_zero_points_of_the_input(dtype: str, zero: int) -> None:
    check((1, 20, 9, 7), (32, 20, 3, 3), {"pads": [1, 1, 1, 1]}, [KERNEL], x=Grid(0.02, zero, dtype), y=Grid(0.2, 128))


def test_unsigned_weight_around_128() -> None:
    check((1, 16, 5, 5), (16, 16, 1, 1), {}, [KERNEL], w_dtype="uint8", w_zero=128)


def test_saturates_where_sums_leave_the_integers() -> None:
    check((1, 64, 5, 5), (16, 64, 3, 3), {}, [KERNEL], y=Grid(1e-7, 3))


@pytest.mark.parametrize("table", [[KERNEL], PLAIN], ids=["blocked", "plain"])
def test_float_result(table: Sequence[Kernel]) -> None:
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "activation": "Relu"}
    weight, scale, zero = codes("int8", 20, 24, 3, 3), np.full(20, 0.002, np.float32), np.zeros(20, np.int8)
    graph, _ = conv_graphs(INPUT, (1, 24, 7, 9), weight, scale, zero, None, RESULT, attributes, RESULT)
    for index in (7, 8):
        graph.nodes[0].set_input(index, None)
    infer_types(graph)
    data: dict[str, Array] = {v.name: codes("uint8", *v.type.dims) for v in graph.inputs if v.type is not None}
    np.testing.assert_allclose(run(graph, data, table), expected(graph, data), rtol=1e-5, atol=1e-4)
