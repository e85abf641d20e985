"""The greatest and the least of rows in vectors: lengths around those of vectors, what is no number, other targets."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.ir import Array, Graph
from edgeopt.kernels.reduce import extreme_vector
from edgeopt.runtime.emulate import Emulator
from tests.kernels.harness import check
from tests.kernels.one_node import agree, declined, normal, one_node

LAST = np.array([-1])


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("shape", [(3, 32), (1, 5, 84), (70, 271), (2, 1000)])
def test_rows(op: str, shape: tuple[int, ...]) -> None:
    agree(extreme_vector, op, [normal(*shape), LAST], {"keepdims": 0}, (1,), threads=2)


def test_several_axes_and_the_pool() -> None:
    agree(extreme_vector, "ReduceMax", [normal(2, 3, 7, 9), np.array([2, 3])], {}, (1,))
    agree(extreme_vector, "GlobalMaxPool", [normal(2, 3, 7, 9)])


@pytest.mark.parametrize("place", [0, 40, 83])
def test_what_is_no_number_is_the_result(place: int) -> None:
    x = normal(4, 84)
    x[1, place], x[2, 5], x[3] = np.nan, -np.inf, -np.inf
    expected = x.max(axis=1)
    assert np.isnan(expected[1])
    agree(extreme_vector, "ReduceMax", [x, LAST], {"keepdims": 0}, (1,), expected=[expected])


def _graph(x: Array) -> Graph:
    return one_node("ReduceMin", [x, LAST], {"keepdims": 0}, (1,))


def test_avx2() -> None:
    x = normal(5, 45)
    check(_graph(x), {"x0": x}, [extreme_vector.KERNEL], "x86-64-v3")


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
def test_arm() -> None:
    x = normal(5, 45)
    with Emulator(edgeopt.compile(_graph(x), level=0, target="arm")) as emulator:
        np.testing.assert_array_equal(next(iter(emulator.run({"x0": x}).values())), x.min(axis=1))


def test_short_rows_and_other_axes_are_left() -> None:
    assert "two vectors" in declined(extreme_vector, one_node("ReduceMax", [normal(4, 9), LAST], {}, (1,)))
    assert "other axes" in declined(extreme_vector, one_node("ReduceMax", [normal(64, 64), np.array([0])], {}, (1,)))
