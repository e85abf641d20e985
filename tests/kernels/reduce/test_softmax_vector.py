"""Softmax in vectors against its meaning: rows and columns that fill no vector, infinities, other vector widths."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.kernels.reduce import softmax_vector
from edgeopt.ops import evaluate
from edgeopt.runtime.emulate import Emulator
from tests.kernels.harness import check
from tests.kernels.one_node import agree, normal, one_node

SHAPES = [(5, 1), (3, 7), (2, 17), (4, 33), (3, 64), (2, 197)]


@pytest.mark.parametrize("shape", SHAPES)
def test_rows(shape: tuple[int, ...]) -> None:
    agree(softmax_vector, "Softmax", [normal(*shape) * 5], {"axis": -1}, rtol=2e-6, threads=2)


@pytest.mark.parametrize(("shape", "axis"), [((2, 5, 1, 3), 1), ((7, 17), 0), ((2, 3, 33), 1), ((1, 1, 40), 1)])
def test_columns(shape: tuple[int, ...], axis: int) -> None:
    agree(softmax_vector, "Softmax", [normal(*shape) * 5], {"axis": axis}, rtol=2e-6)


def test_masked_and_large_elements() -> None:
    x = normal(6, 37)
    x[0, 3:9], x[1, :36], x[2] = -np.inf, -np.inf, -1e30
    x[3, 2], x[4, 30:] = 1e4, -1e9
    agree(softmax_vector, "Softmax", [x], rtol=2e-6)
    agree(softmax_vector, "Softmax", [np.ascontiguousarray(x.T)], {"axis": 0}, rtol=2e-6)


def test_what_is_not_a_number_stays_so() -> None:
    x = normal(3, 21)
    x[0, 20], x[1, 0] = np.nan, np.inf
    agree(softmax_vector, "Softmax", [x], rtol=2e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_avx2(axis: int) -> None:
    x = normal(19, 45)
    check(one_node("Softmax", [x], {"axis": axis}), {"x0": x}, [softmax_vector.KERNEL], "x86-64-v3")


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("axis", [0, 1])
def test_arm(axis: int) -> None:
    x = normal(19, 45)
    graph = one_node("Softmax", [x], {"axis": axis})
    expected = evaluate(graph.nodes[0], [x])[0]
    with Emulator(edgeopt.compile(graph, level=0, target="arm")) as emulator:
        np.testing.assert_allclose(next(iter(emulator.run({"x0": x}).values())), expected, rtol=2e-6, atol=1e-7)
