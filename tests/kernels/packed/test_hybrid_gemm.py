from __future__ import annotations

import pytest

from edgeopt.kernels.packed.hybrid_gemm import KERNELS, MOST_ROWS
from tests.kernels.harness import check, run
from tests.kernels.hybrid_harness import KINDS, hybrid, weights

SHAPES = [((1, 120), 84), ((2, 3, 37), 200), ((8, 17), 33), ((40, 70), 100)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "columns"), SHAPES)
def test_agrees_with_meaning(shape: tuple[int, ...], columns: int, kind: str) -> None:
    check(*hybrid("HybridGemm", shape, weights(kind, shape[-1], columns)), KERNELS)


@pytest.mark.parametrize("kind", KINDS)
def test_with_narrower_vectors(kind: str) -> None:
    check(*hybrid("HybridGemm", (2, 3, 37), weights(kind, 37, 200)), KERNELS, "x86-64-v3")


@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 16, 17, 31, 32, 33])
def test_sizes_around_the_vector_width(size: int) -> None:
    check(*hybrid("HybridGemm", (2, size), weights("int4", size, 130 - size), per_channel=False), KERNELS)


@pytest.mark.parametrize("rows", [1, 5, 20])
@pytest.mark.parametrize("kind", ["Relu", "Tanh"])
def test_residual_and_activation(kind: str, rows: int) -> None:
    codes, shape = weights("int8", 40, 50), (rows, 50)
    check(*hybrid("HybridGemm", (rows, 40), codes, {"activation": kind}, shape), KERNELS)


def test_many_rows_widen_panels() -> None:
    graph, data = hybrid("HybridGemm", (MOST_ROWS + 1, 8), weights("int8", 8, 8))
    with pytest.raises(AssertionError, match="enough to widen a panel"):
        run(graph, data, KERNELS[:1])
