from __future__ import annotations

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.kernels.pointwise import binary, variadic
from tests.kernels.one_node import agree, declined, integers, normal, one_node

SHAPES = [
    ((3, 4, 5), (3, 4, 5)),
    ((3, 4, 5), (5,)),
    ((3, 4, 5), (4, 1)),
    ((3, 1, 5, 1), (4, 1, 2)),
    ((1,), (3, 4)),
    ((), (3, 4)),
    ((2, 3, 1, 5, 1, 7), (1, 3, 4, 1, 6, 1)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_broadcasting(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    agree(binary, "Sub", [normal(*shapes[0]), normal(*shapes[1], seed=1)])


@pytest.mark.parametrize("op", ["Add", "Mul", "Div", "Pow"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_floats(op: str, dtype: str) -> None:
    x, y = np.abs(normal(4, 50, dtype=dtype)), normal(50, dtype=dtype, seed=1)
    tolerance = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-12}[dtype]
    agree(binary, op, [x, y], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint32", "uint64"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_integers(op: str, dtype: str) -> None:
    low = 0 if dtype.startswith("u") else -9
    agree(binary, op, [integers(50, low=low, dtype=dtype), integers(50, low=low, dtype=dtype, seed=1)])


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
def test_division_of_integers_truncates(dtype: str) -> None:
    x, y = np.array([7, -7, 7, -7, 0, 5], dtype), np.array([2, 2, -2, -2, 3, 1], dtype)
    agree(binary, "Div", [x, y], expected=[np.array([3, -3, -3, 3, 0, 5], dtype)])


def test_division_of_integers_by_zero_and_of_the_smallest_does_not_trap() -> None:
    x = np.array([5, np.iinfo(np.int64).min, 6], np.int64)
    agree(binary, "Div", [x, np.array([0, -1, 3])], expected=[np.array([0, np.iinfo(np.int64).min, 2])])


@pytest.mark.parametrize("fmod", [0, 1])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_remainder(dtype: str, fmod: int) -> None:
    signs = np.where(np.arange(40) % 2, 1, -1)
    x, y = integers(40, dtype=dtype), (integers(40, low=1, seed=1) * signs).astype(dtype)
    if dtype.startswith("float"):
        expected = [np.fmod(x, y) if fmod else np.mod(x, y)]
        agree(binary, "Mod", [x, y], {"fmod": fmod}, expected=expected)
    else:
        agree(binary, "Mod", [x, y], {"fmod": fmod})


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5])
def test_power_with_constant_exponent(exponent: float) -> None:
    agree(binary, "Pow", [np.abs(normal(40)), np.array(exponent, np.float32)], constant=[1], rtol=2e-6)


def test_power_of_integers() -> None:
    agree(binary, "Pow", [integers(40, dtype="int32"), integers(40, low=0, high=4, dtype="int32", seed=1)])


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
def test_comparisons(op: str, dtype: str) -> None:
    agree(binary, op, [integers(4, 50, low=0, high=3, dtype=dtype), integers(50, low=0, high=3, dtype=dtype)])


@pytest.mark.parametrize("op", ["And", "Or", "Xor", "Equal"])
def test_logic(op: str) -> None:
    agree(binary, op, [normal(4, 50) > 0, normal(50) > 0])


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits(op: str) -> None:
    agree(binary, op, [integers(4, 50, dtype="int32"), integers(50, dtype="int32")])


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts(direction: str) -> None:
    x, y = integers(40, low=0, high=200, dtype="uint8"), integers(40, low=0, dtype="uint8")
    agree(binary, "BitShift", [x, y], {"direction": direction})


def test_a_shift_beyond_the_width_keeps_the_sign() -> None:
    x, y = np.asarray([-8, 4, -1, 100, -100], np.int8), np.asarray([8, 9, 127, 2, 7], np.int8)
    agree(binary, "BitShift", [x, y], {"direction": "RIGHT"}, opset=28)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
def test_variadic(op: str, count: int) -> None:
    agree(variadic, op, [normal(3, 4), normal(4), normal(3, 1), normal(1)][:count])


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float16", "float64"])
@pytest.mark.parametrize("op", ["Max", "Min"])
def test_extremes_of_other_types(op: str, dtype: str) -> None:
    agree(variadic, op, [integers(3, 4, low=0, dtype=dtype), integers(4, low=0, dtype=dtype, seed=1)])


def test_parametric_relu_takes_a_slope_per_channel() -> None:
    agree(binary, "PRelu", [normal(2, 3, 4, 5), normal(3, 1, 1)])


def test_nan_wins_in_maximum_and_minimum() -> None:
    x, y = np.array([np.nan, 1, 2], np.float32), np.array([1, np.nan, 3], np.float32)
    agree(variadic, "Max", [x, y], expected=[np.maximum(x, y)])


def test_declines_bits_of_floats() -> None:
    graph = one_node("Add", [normal(4), normal(4)])
    graph.nodes[0].op = "BitwiseAnd"
    with pytest.raises(EdgeoptError, match="BitwiseAnd.*float32, which the operator does not take"):
        declined(binary, graph)
