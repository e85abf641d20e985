from __future__ import annotations

import numpy as np
import pytest

from edgeopt.kernels.move import fill
from edgeopt.kernels.reduce import arg_reduce, scan_axis, top_k
from tests.kernels.one_node import agree, int64, integers, normal


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_arg_reduce(op: str, last: int, axis: int) -> None:
    x = integers(4, 5, 6, low=0, high=4, dtype="float32")
    agree(arg_reduce, op, [x], {"axis": axis, "select_last_index": last, "keepdims": last})


def test_nan_is_the_extreme() -> None:
    agree(arg_reduce, "ArgMax", [np.array([1, np.nan, 3, np.nan, 5], np.float32)])


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16"])
def test_arg_reduce_of_other_types(dtype: str) -> None:
    agree(arg_reduce, "ArgMax", [integers(4, 5, low=0, dtype=dtype)], {"axis": 1})


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_cumulative_sum(exclusive: int, reverse: int) -> None:
    attributes = {"exclusive": exclusive, "reverse": reverse}
    agree(scan_axis, "CumSum", [normal(3, 4, 5), np.array(1)], attributes, constant=[1])
    agree(scan_axis, "CumSum", [integers(3, 4, dtype="int32"), np.array(-1)], attributes, constant=[1])


def test_reverse_sequence() -> None:
    agree(scan_axis, "ReverseSequence", [normal(4, 3, 2), int64(4, 2, 3)])
    agree(scan_axis, "ReverseSequence", [normal(3, 4, 2), int64(4, 2, 3)], {"batch_axis": 0, "time_axis": 1})


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [-2, 0, 1])
def test_triangle(upper: int, k: int) -> None:
    agree(scan_axis, "Trilu", [normal(2, 4, 5), np.array(k)], {"upper": upper}, constant=[1])


def test_one_hot() -> None:
    inputs = [integers(2, 3, low=-4, high=5), np.array(5), np.array([2, 7], np.float32)]
    agree(scan_axis, "OneHot", inputs, {"axis": 1}, constant=[1])


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_top_k(axis: int, largest: int) -> None:
    agree(top_k, "TopK", [normal(4, 9, 5), int64(3)], {"axis": axis, "largest": largest}, constant=[1], outputs=2)


def test_equal_elements_come_in_order() -> None:
    agree(top_k, "TopK", [integers(4, 9, low=0, high=3), int64(5)], constant=[1], outputs=2)


@pytest.mark.parametrize("k", [0, 1, -1, 3])
def test_eye_like(k: int) -> None:
    agree(fill, "EyeLike", [normal(3, 4)], {"k": k})


def test_shape_and_size() -> None:
    agree(fill, "Shape", [normal(3, 4, 5)], {"start": -2})
    agree(fill, "Size", [normal(3, 4, 5)])


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_constant_of_shape(dtype: str) -> None:
    agree(fill, "ConstantOfShape", [int64(3, 4)], {"value": np.array([7], dtype)}, constant=[0])


def test_range() -> None:
    agree(fill, "Range", [np.array(v, np.float32) for v in (1, 4, 0.4)], constant=[0, 1, 2])
    agree(fill, "Range", [np.array(v) for v in (10, -3, -4)], constant=[0, 1, 2])
