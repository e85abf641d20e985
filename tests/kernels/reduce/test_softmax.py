from __future__ import annotations

import numpy as np
import pytest

from edgeopt.kernels.reduce import softmax
from tests.kernels.one_node import agree, normal


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_any_axis(op: str, axis: int) -> None:
    agree(softmax, op, [normal(3, 40, 5) * 5], {"axis": axis}, rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floats(dtype: str) -> None:
    tolerance = 2e-3 if dtype == "float16" else 1e-12
    agree(softmax, "Softmax", [normal(3, 40, dtype=dtype)], rtol=tolerance, atol=tolerance)


def test_large_numbers_do_not_overflow() -> None:
    x = np.array([[1e4, 1e4 - 1, -1e4], [-1e30, -1e30, -1e30]], np.float32)
    agree(softmax, "Softmax", [x])
