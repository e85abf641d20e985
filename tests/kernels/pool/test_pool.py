from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.pool import pool
from tests.kernels.one_node import agree, integers, normal, same_bits

Case = tuple[tuple[int, ...], dict[str, Attribute]]
CASES: dict[str, Case] = {
    "one dimension": ((2, 3, 9), {"kernel_shape": [2]}),
    "padded": ((2, 3, 9, 10), {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "three dimensions": ((1, 3, 5, 6, 7), {"kernel_shape": [2, 2, 2], "strides": [2, 1, 1], "pads": [1, 0, 1, 0, 1, 1]}),
    "ceil": ((2, 3, 9, 10), {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1, "pads": [1, 1, 1, 1]}),
    "dilated": ((2, 3, 9, 10), {"kernel_shape": [3, 3], "dilations": [2, 2]}),
    "same upper": ((2, 3, 9, 10), {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "valid": ((2, 3, 9, 10), {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "VALID"}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_agrees_with_reference(op: str, case: str) -> None:
    shape, attributes = CASES[case]
    agree(pool, op, [normal(*shape)], attributes, rtol=1e-5)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_norm_pool(p: int) -> None:
    agree(pool, "LpPool", [normal(2, 3, 9, 10)], {"kernel_shape": [3, 2], "p": p}, rtol=1e-5)


def test_short_rows_have_the_same_bits_however_threads_share_them() -> None:
    same_bits(pool, "LpPool", [normal(1, 9, 4, 4)], {"kernel_shape": [3, 3], "p": 2})


@pytest.mark.parametrize("ceil", [0, 1])
def test_average_counts_padding_but_nothing_beyond_it(ceil: int) -> None:
    attributes: dict[str, Attribute] = {"kernel_shape": [3, 3], "strides": [2, 2], "count_include_pad": 1, "ceil_mode": ceil}
    agree(pool, "AveragePool", [normal(1, 1, 4, 4)], attributes, rtol=1e-5)
    agree(pool, "AveragePool", [normal(2, 3, 9, 10)], attributes | {"pads": [1, 1, 1, 1]}, rtol=1e-5)


@pytest.mark.parametrize("order", [0, 1])
def test_indices(order: int) -> None:
    x = np.random.default_rng(0).permutation(540).reshape(2, 3, 9, 10).astype(np.float32)
    attributes: dict[str, Attribute] = {"kernel_shape": [3, 3], "strides": [2, 2], "storage_order": order}
    agree(pool, "MaxPool", [x], attributes, outputs=2)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float16", "float64"])
def test_other_types(dtype: str) -> None:
    x = integers(1, 2, 6, 7, low=0, dtype=dtype)
    agree(pool, "MaxPool", [x], {"kernel_shape": [2, 2]})
