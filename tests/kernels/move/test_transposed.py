"""Transpositions by tiles move every element to its place, for elements of all sizes and on every kind of vector."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.kernels.call import Input, Output
from edgeopt.kernels.move import transpose
from edgeopt.kernels.move.transposed import transposed_call
from edgeopt.kernels.walk.strided import row_major
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import target as find_target
from tests.drawing import RNG
from tests.kernels.harness import run, single

CASES = [
    ("uint8", (2, 21, 70), (0, 2, 1)),
    ("uint8", (1, 5, 4, 33), (0, 3, 2, 1)),
    ("float16", (1, 9, 10, 40), (0, 3, 1, 2)),
    ("float32", (1, 4, 18, 20), (0, 3, 2, 1)),
    ("float32", (2, 8, 6, 17), (3, 0, 2, 1)),
]


def permuted(dtype: str, shape: tuple[int, ...], order: tuple[int, ...], where: str) -> None:
    x = RNG.integers(0, 250, shape).astype(dtype)
    graph = single("Transpose", {"x": x}, attributes={"perm": list(order)})
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, {"x": x}, transpose.KERNELS, where, by_chunks), x.transpose(order))


@pytest.mark.parametrize("where", ["host", "x86-64-v3"])
@pytest.mark.parametrize("dtype, shape, order", CASES)
def test_transposes(dtype: str, shape: tuple[int, ...], order: tuple[int, ...], where: str) -> None:
    permuted(dtype, shape, order, where)


def _tiled(dtype: str, shape: tuple[int, ...], order: tuple[int, ...]) -> bool:
    made = [shape[a] for a in order]
    boxes = [row_major(shape)[a] for a in order], row_major(made)
    bits = 8 * np.dtype(dtype).itemsize
    return transposed_call(find_target("x86-64-v4"), bits, (Input(0), Output(0)), made, boxes) is not None


def test_the_cases_are_tiled() -> None:
    assert all(_tiled(*case) for case in CASES)
    assert not _tiled("uint8", (2, 3, 40), (0, 2, 1))  # three rows are no tile


@settings(max_examples=6, deadline=None)
@given(st.permutations(range(4)), st.tuples(*(st.integers(1, 35),) * 4), st.sampled_from(["uint8", "float16", "float32"]))
def test_any_permutation(order: list[int], shape: tuple[int, ...], dtype: str) -> None:
    permuted(dtype, shape, tuple(order), "host")


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("dtype, shape, order", CASES[::2])
def test_on_arm(dtype: str, shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    x = RNG.integers(0, 250, shape).astype(dtype)
    graph = single("Transpose", {"x": x}, attributes={"perm": list(order)})
    with Emulator(edgeopt.compile(graph, level=0, target="arm")) as emulator:
        np.testing.assert_array_equal(next(iter(emulator.run({"x": x}).values())), x.transpose(order))
