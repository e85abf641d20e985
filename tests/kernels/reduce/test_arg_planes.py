"""Places of extremes across planes in vectors: sizes around those of vectors, ties, what is no number, other targets."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.ir import Array, Graph
from edgeopt.kernels.reduce import arg_planes
from edgeopt.runtime.emulate import Emulator
from tests.kernels.harness import check
from tests.kernels.one_node import agree, declined, normal, one_node


def _places(op: str, x: Array, axis: int, last: bool = False) -> Array:
    """By numpy, of the first or the last of those that are equal."""
    find = np.argmax if op == "ArgMax" else np.argmin
    found = x.shape[axis] - 1 - find(np.flip(x, axis), axis) if last else find(x, axis)
    return np.expand_dims(found, axis).astype(np.int64)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize(("shape", "axis"), [((1, 21, 9, 13), 1), ((3, 2, 16), 1), ((5, 17), 0), ((2, 40, 71, 53), 1)])
def test_across_planes(op: str, shape: tuple[int, ...], axis: int) -> None:
    x = normal(*shape)
    agree(arg_planes, op, [x], {"axis": axis}, threads=2, expected=[_places(op, x, axis)])


@pytest.mark.parametrize("last", [0, 1])
def test_ties_and_what_is_no_number(last: int) -> None:
    x = np.round(normal(1, 6, 5, 7))
    x[0, 2, 1], x[0, 4, 1, 3], x[0, :, 2] = np.nan, np.nan, np.inf
    agree(arg_planes, "ArgMax", [x], {"axis": 1, "select_last_index": last}, expected=[_places("ArgMax", x, 1, bool(last))])


def _graph(x: Array) -> Graph:
    return one_node("ArgMax", [x], {"axis": 1, "keepdims": 0})


def test_avx2() -> None:
    x = normal(1, 5, 45)
    check(_graph(x), {"x0": x}, [arg_planes.KERNEL], "x86-64-v3")


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
def test_arm() -> None:
    x = normal(1, 5, 45)
    with Emulator(edgeopt.compile(_graph(x), level=0, target="arm")) as emulator:
        np.testing.assert_array_equal(next(iter(emulator.run({"x0": x}).values())), x.argmax(axis=1))


def test_the_last_axis_and_other_types_are_left() -> None:
    assert "neighbours" in declined(arg_planes, one_node("ArgMax", [normal(4, 64)], {"axis": 1}))
    assert "element type" in declined(arg_planes, one_node("ArgMax", [np.zeros((4, 64), np.int64)], {"axis": 0}))
