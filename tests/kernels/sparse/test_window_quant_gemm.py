"""SparseQuantGemm of single weights: the codes of the dense product, for scattered and for balanced zeros."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Graph
from edgeopt.kernels.integer import quant_gemm, quant_product_plain
from edgeopt.kernels.sparse import window_quant_gemm
from edgeopt.kernels.sparse.window_entries import pack, steps_of
from edgeopt.kernels.sparse.window_quant_tile import EACH
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.quant_harness import codes, compare, expected
from tests.kernels.sparse.test_sparse_products import quantised
from tests.kernels.sparse_harness import EVERYWHERE, make_sparse

DENSE = (quant_gemm.KERNEL, *quant_product_plain.KERNELS)
SIZES = [((1,), 64, 1000), ((1,), 75, 17), ((2, 3), 96, 33), ((5,), 64, 16), ((40,), 70, 100)]


def same_codes(graph: Graph, where: str = "host") -> None:
    """The kernel gives the very codes of the dense one, by chunks, too."""
    data = {v.name: codes(v.type.dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    truth, dense = expected(graph, data), run(graph, data, DENSE, where)
    make_sparse(graph, (1, 1))
    compare(expected(graph, data), truth)
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, data, [window_quant_gemm.KERNEL], where, by_chunks), dense)


@EVERYWHERE
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SIZES, ids=str)
def test_scattered_weights(rows: tuple[int, ...], inputs: int, outputs: int, where: str) -> None:
    same_codes(quantised(rows, inputs, outputs, block=(1, 1)), where)


@EVERYWHERE
def test_signed_codes(where: str) -> None:
    same_codes(quantised((3,), 80, 50, "int8", block=(1, 1)), where)


@pytest.mark.parametrize("density", [0.0, 0.02, 0.9, 1.0])
def test_any_share_of_zeros(density: float) -> None:
    same_codes(quantised((2,), 100, 50, block=(1, 1), density=density))


@pytest.mark.parametrize("kind", ["Relu", "HardSwish"])
def test_residual_and_activation(kind: str) -> None:
    same_codes(quantised((9,), 70, 50, "int8", kind, added=True, block=(1, 1)))


def test_four_of_a_window_are_one_step() -> None:
    matrix = np.zeros((16, 128), np.int8)
    for row in matrix.reshape(-1, 64):
        row[RNG.permutation(64)[:8]] = RNG.integers(1, 9, 8)
    assert steps_of(matrix, [0], 64, EACH).tolist() == [[2, 2]]
    entries = pack(matrix, [0], 64, 2, EACH)
    assert entries.offsets.tolist() == [2, 0, 64]
    stored = entries.weights.view(np.int8).reshape(2, 2, 2, 16, EACH)
    values, places = stored[:, 0], stored[:, 1]
    for output, row in enumerate(matrix):
        np.testing.assert_array_equal(row.reshape(2, 64)[0][places[0, :, output]], values[0, :, output])
