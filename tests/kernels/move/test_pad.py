from __future__ import annotations

import numpy as np
import pytest

from edgeopt.kernels.move import pad
from tests.kernels.one_node import agree, int64, integers, normal

MODES = ["constant", "reflect", "edge", "wrap"]


@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_reference(mode: str) -> None:
    agree(pad, "Pad", [normal(2, 3, 4, 5), int64(0, 0, 1, 2, 0, 0, 3, 1)], {"mode": mode}, constant=[1])


@pytest.mark.parametrize("mode", MODES)
def test_axes(mode: str) -> None:
    agree(pad, "Pad", [normal(4, 5), int64(1, 2), None, int64(-1)], {"mode": mode}, constant=[1, 3])


def test_negative_pads_crop() -> None:
    x = normal(4, 5)
    expected = np.pad(x, ((1, 2), (0, 0)), constant_values=3)[:, 1:-2]
    agree(pad, "Pad", [x, int64(1, -1, 2, -2), np.array(3, np.float32)], constant=[1], expected=[expected])


@pytest.mark.parametrize("dtype", ["int8", "int32", "bool", "float16"])
def test_other_types(dtype: str) -> None:
    agree(pad, "Pad", [integers(3, 4, dtype=dtype), int64(1, 1, 2, 0)], constant=[1])
