from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array
from edgeopt.kernels.pointwise import choose
from tests.kernels.one_node import agree, integers, normal

LOW, HIGH = np.array(-0.3, np.float32), np.array(0.5, np.float32)


@pytest.mark.parametrize("bounds", [[LOW, HIGH], [None, HIGH], [LOW], []], ids=["both", "high", "low", "none"])
@pytest.mark.parametrize("constant", [(), (1, 2)], ids=["computed", "constant"])
def test_clip(bounds: list[Array | None], constant: tuple[int, ...]) -> None:
    agree(choose, "Clip", [normal(100, 99), *bounds], constant=constant)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "float16"])
def test_clip_of_other_types(dtype: str) -> None:
    agree(choose, "Clip", [integers(30, low=0, dtype=dtype), np.array(2, dtype), np.array(5, dtype)])


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "float16"])
def test_where_broadcasts_all_three(dtype: str) -> None:
    agree(choose, "Where", [normal(3, 1) > 0, normal(3, 4).astype(dtype), normal(2, 1, 1).astype(dtype)])
