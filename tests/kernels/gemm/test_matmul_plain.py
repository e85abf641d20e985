from __future__ import annotations

import pytest

from edgeopt.ir import Array
from edgeopt.kernels.gemm import matmul_plain
from tests.kernels.one_node import agree, integers, normal

SHAPES = [
    ((3, 4), (4, 5)),
    ((2, 3, 4), (4, 5)),
    ((2, 1, 3, 4), (6, 4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((4,), (4,)),
    ((2, 3, 3, 4), (4,)),
    ((2, 1, 3, 1, 3, 4), (1, 2, 1, 2, 4, 2)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_products_broadcast(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    agree(matmul_plain, "MatMul", [normal(*shapes[0]), normal(*shapes[1])], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64", "float16"])
def test_other_types(dtype: str) -> None:
    agree(matmul_plain, "MatMul", [integers(3, 4, dtype=dtype), integers(4, 2, dtype=dtype)])


@pytest.mark.parametrize("shape", [(5,), (3, 1), (3, 5), (1,), (), None], ids=str)
@pytest.mark.parametrize("flips", [(0, 0), (0, 1), (1, 0), (1, 1)], ids=str)
def test_gemm(flips: tuple[int, int], shape: tuple[int, ...] | None) -> None:
    a, b = normal(*((4, 3) if flips[0] else (3, 4))), normal(*((5, 4) if flips[1] else (4, 5)))
    inputs: list[Array] = [a, b] + ([] if shape is None else [normal(*shape, seed=2)])
    attributes = {"transA": flips[0], "transB": flips[1], "alpha": 0.5, "beta": 0.25}
    agree(matmul_plain, "Gemm", inputs, attributes, rtol=1e-5, atol=1e-5)
