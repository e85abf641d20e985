"""The pass of Resize along the last axis in vectors: enlarged, reduced, short and long rows, other vector widths."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.ir import Graph
from edgeopt.kernels.move import resize
from edgeopt.kernels.move.resize_rows import in_vectors
from edgeopt.kernels.move.resize_taps import taps
from edgeopt.ops import evaluate
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import target
from tests.kernels.harness import check
from tests.kernels.one_node import agree, normal, one_node

SIZES = [(5, 10), (7, 40), (40, 101), (33, 17), (20, 320), (3, 1)]


def _graph(source: int, result: int, mode: str = "linear") -> Graph:
    scales = np.array([1, 1, 1.5, result / source], np.float32)
    return one_node("Resize", [normal(1, 2, 4, source), None, scales], {"mode": mode}, constant=(2,))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize(("source", "result"), SIZES)
def test_sizes(source: int, result: int, mode: str) -> None:
    scales = np.array([1, 1, 1.5, result / source], np.float32)
    agree(resize, "Resize", [normal(1, 2, 4, source), None, scales], {"mode": mode}, constant=[2], rtol=1e-5, atol=1e-5)


def test_where_the_taps_of_a_vector_lie_in_one() -> None:
    node = _graph(20, 320).nodes[0]
    assert in_vectors(target("x86-64-v3"), taps(node, 20, 320, 16.0, (0.0, 1.0)))
    assert not in_vectors(target("x86-64-v3"), taps(node, 320, 20, 0.0625, (0.0, 1.0)))


def test_avx2() -> None:
    check(_graph(20, 45), {"x0": normal(1, 2, 4, 20)}, [resize.KERNEL], "x86-64-v3")


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
def test_arm() -> None:
    graph, x = _graph(9, 20), normal(1, 2, 4, 9)
    expected = evaluate(graph.nodes[0], [x, None, np.array([1, 1, 1.5, 20 / 9], np.float32)])[0]
    with Emulator(edgeopt.compile(graph, level=0, target="arm")) as emulator:
        np.testing.assert_allclose(next(iter(emulator.run({"x0": x}).values())), expected, rtol=1e-5, atol=1e-5)
