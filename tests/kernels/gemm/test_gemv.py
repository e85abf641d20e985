from __future__ import annotations

import pytest

from edgeopt.ir import OWN_DOMAIN
from edgeopt.kernels.gemm.gemv import KERNEL
from tests.kernels.harness import check, run, single, uniform

SIZES = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 200]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_sizes_around_the_vector_width(size: int, rows: int) -> None:
    data = {"a": uniform(rows, size)}
    check(single("Gemm", data, [uniform(233 - size, size), uniform(233 - size)], {"transB": 1}), data, [KERNEL])


def test_activation() -> None:
    data = {"a": uniform(1, 120)}
    check(single("FusedGemm", data, [uniform(120, 84), uniform(84)], {"activation": "Relu"}, OWN_DOMAIN), data, [KERNEL])


def test_declines_many_rows() -> None:
    data = {"a": uniform(4, 8)}
    with pytest.raises(AssertionError, match="4 rows"):
        run(single("MatMul", data, [uniform(8, 8)]), data, [KERNEL])
