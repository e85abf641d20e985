from __future__ import annotations

import numpy as np
import pytest

from edgeopt.kernels.move import gather
from tests.kernels.one_node import agree, integers, normal


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather(axis: int) -> None:
    agree(gather, "Gather", [normal(5, 5, 5), integers(2, 3, low=-5, high=5)], {"axis": axis})


def test_gather_by_a_scalar_of_32_bits() -> None:
    agree(gather, "Gather", [normal(5, 6), np.array(2, np.int32)], {"axis": 1})


@pytest.mark.parametrize("axis, shape", [(0, (7, 5, 5)), (1, (5, 7, 5)), (2, (5, 5, 7))])
def test_gather_elements(axis: int, shape: tuple[int, ...]) -> None:
    agree(gather, "GatherElements", [normal(5, 5, 5), integers(*shape, low=-5, high=5)], {"axis": axis})


CASES = [((5, 6, 7), (4, 2), 0), ((5, 6, 7), (4, 3), 0), ((5, 6, 7), (5, 2, 1), 1), ((2, 6, 7), (2, 3, 2), 1)]


@pytest.mark.parametrize("shape, indices, batch", CASES)
def test_gather_nd(shape: tuple[int, ...], indices: tuple[int, ...], batch: int) -> None:
    agree(gather, "GatherND", [normal(*shape), integers(*indices, low=0, high=5)], {"batch_dims": batch})


def test_indices_outside_are_clamped() -> None:
    x = np.arange(4, dtype=np.float32)
    agree(gather, "Gather", [x, np.array([100, -100])], expected=[np.array([3, 0], np.float32)])
