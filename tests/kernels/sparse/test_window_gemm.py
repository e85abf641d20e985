"""SparseGemm of single weights: the numbers of the dense product, for scattered and for balanced zeros."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN, Array, Graph
from edgeopt.kernels.sparse import window_gemm
from edgeopt.kernels.sparse.window_entries import best_depth, pack, steps_of
from tests.drawing import RNG
from tests.kernels.harness import check, run, single, uniform
from tests.kernels.sparse_harness import EVERYWHERE, make_sparse, thinned

SIZES = [((1,), 64, 1000), ((1,), 37, 17), ((2, 3), 96, 33), ((5,), 32, 16), ((40,), 70, 100)]


def scattered(inputs: int, outputs: int, density: float = 0.2) -> Array:
    """A weight [inputs, outputs] with single zeros."""
    return np.ascontiguousarray(thinned(uniform(outputs, inputs), (1, 1), density).T)


def product(rows: tuple[int, ...], weight: Array, activation: str = "", added: bool = False) -> tuple[Graph, dict[str, Array]]:
    """The sparse operator, and inputs."""
    data = {"x": uniform(*rows, len(weight))} | ({"r": uniform(*rows, weight.shape[1])} if added else {})
    attributes = {"activation": activation} if activation else {}
    bias = None if added else uniform(weight.shape[1])
    graph = single("FusedGemm", data, [weight, bias], attributes, OWN_DOMAIN, extra=[data["r"]] if added else [])
    make_sparse(graph, (1, 1))
    return graph, data


@EVERYWHERE
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SIZES, ids=str)
def test_scattered_weights(rows: tuple[int, ...], inputs: int, outputs: int, where: str) -> None:
    check(*product(rows, scattered(inputs, outputs)), [window_gemm.KERNEL], where)


@pytest.mark.parametrize("density", [0.0, 0.02, 0.9, 1.0])
def test_any_share_of_zeros(density: float) -> None:
    check(*product((2,), scattered(100, 50, density)), [window_gemm.KERNEL])


def test_residual_and_activation() -> None:
    check(*product((9,), scattered(40, 50), "Relu", added=True), [window_gemm.KERNEL])


def test_chunks_give_the_same_bits() -> None:
    graph, data = product((3,), scattered(512, 700))
    whole = run(graph, data, [window_gemm.KERNEL])
    np.testing.assert_array_equal(run(graph, data, [window_gemm.KERNEL], by_chunks=True), whole)


def test_rows_that_keep_as_many_of_each_window_waste_nothing() -> None:
    matrix = np.zeros((16, 96), np.float32)
    for row in matrix.reshape(-1, 32):
        row[RNG.permutation(32)[:3]] = RNG.uniform(1, 2, 3)
    steps = steps_of(matrix, [0], 32)
    assert steps.tolist() == [[3, 3, 3]] and best_depth(steps) == 3
    entries = pack(matrix, [0], 32, 3)
    assert entries.offsets.tolist() == [3, 0, 32, 64] and entries.starts.tolist() == [0, 3]
    assert np.count_nonzero(entries.weights[:, :48]) == np.count_nonzero(matrix)
