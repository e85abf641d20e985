from __future__ import annotations

import numpy as np
import pytest

from edgeopt.kernels.move import scatter
from tests.kernels.one_node import agree, normal

REDUCTIONS = ["none", "add", "mul", "max", "min"]
COLUMNS = np.array([[0, 2, -1], [3, 1, 0], [4, 0, 2], [1, 2, 3]])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scatter_elements(reduction: str) -> None:
    agree(scatter, "ScatterElements", [normal(4, 5), COLUMNS, normal(4, 3)], {"axis": 1, "reduction": reduction})


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("indices", [[[1], [4]], [[1, 2], [4, 0]]], ids=str)
def test_scatter_nd(indices: list[list[int]], reduction: str) -> None:
    at = np.array(indices)
    update = normal(2, 4, 3) if at.shape[1] == 1 else normal(2, 3)
    agree(scatter, "ScatterND", [normal(6, 4, 3), at, update], {"reduction": reduction})


def test_repeated_indices_add_up() -> None:
    at = np.array([[1], [1], [1]])
    expected = np.array([0, 6, 0], np.float32)
    inputs = [np.zeros(3, np.float32), at, np.array([1, 2, 3], np.float32)]
    agree(scatter, "ScatterND", inputs, {"reduction": "add"}, expected=[expected])
