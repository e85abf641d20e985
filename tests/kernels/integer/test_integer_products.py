from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.integer import conv_integer, matmul_integer
from tests.kernels.one_node import agree, integers

SHAPES = [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 2, 3, 4), (2, 4, 5))]
SCALES = [np.array(v, np.float32) for v in (0.02, 0.02, 0.05)]


def _bytes(*shape: int, dtype: str = "uint8", seed: int = 0) -> Array:
    low = 0 if dtype == "uint8" else -128
    return integers(*shape, low=low, high=low + 256, dtype=dtype, seed=seed)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_quantised_convolution(dtype: str) -> None:
    x, w = _bytes(1, 4, 8, 9, dtype=dtype), _bytes(6, 2, 3, 3, dtype="int8")
    inputs = [x, SCALES[0], np.array(5, dtype), w, np.full(6, 0.01, np.float32), np.zeros(6, np.int8)]
    inputs += [np.array(0.5, np.float32), np.array(7, dtype), np.arange(6, dtype=np.int32) * 10]
    attributes: dict[str, Attribute] = {"group": 2, "pads": [1, 1, 1, 1], "strides": [2, 1]}
    agree(conv_integer, "QLinearConv", inputs, attributes)


def test_integer_convolution() -> None:
    inputs = [_bytes(1, 4, 8, 9), _bytes(6, 4, 3, 3, seed=1), np.array(5, np.uint8), np.array(3, np.uint8)]
    agree(conv_integer, "ConvInteger", inputs, {"pads": [1, 1, 1, 1]})
    agree(conv_integer, "ConvInteger", inputs[:2])


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_integer_product(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = _bytes(*shapes[0]), _bytes(*shapes[1], seed=1)
    agree(matmul_integer, "MatMulInteger", [a, b, np.array(5, np.uint8), np.array(9, np.uint8)])
    agree(matmul_integer, "MatMulInteger", [a, b])


def test_zero_points_of_rows_and_columns() -> None:
    a, b = _bytes(3, 4), _bytes(4, 5, seed=1)
    rows, columns = _bytes(3, seed=2), _bytes(5, seed=3)
    expected = (a.astype(np.int32) - rows[:, None]) @ (b.astype(np.int32) - columns)
    agree(matmul_integer, "MatMulInteger", [a, b, rows, columns], expected=[expected.astype(np.int32)])


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_quantised_product(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = _bytes(*shapes[0]), _bytes(*shapes[1], seed=1)
    inputs = [a, SCALES[0], np.array(5, np.uint8), b, SCALES[1], np.array(9, np.uint8), SCALES[2], np.array(70, np.uint8)]
    agree(matmul_integer, "QLinearMatMul", inputs)
