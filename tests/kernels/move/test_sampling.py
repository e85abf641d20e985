from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.gemm import einsum
from edgeopt.kernels.move import grid_sample, roi_align
from tests.kernels.one_node import agree, normal

REGIONS = np.array([[0, 0, 9, 9], [0, 5, 4, 9], [5, 5, 9.5, 9.7], [-2, 3, 12, 14]], np.float32)


def _grid(*shape: int) -> Array:
    return np.random.default_rng(0).uniform(-1.6, 1.6, shape).astype(np.float32)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_grid_sample(mode: str, padding: str, corners: int) -> None:
    attributes: dict[str, Attribute] = {"mode": mode, "padding_mode": padding, "align_corners": corners}
    agree(grid_sample, "GridSample", [normal(2, 3, 5, 6), _grid(2, 4, 3, 2)], attributes, opset=20, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_grid_sample_in_three_dimensions(mode: str) -> None:
    inputs = [normal(1, 2, 3, 5, 6), _grid(1, 2, 4, 3, 3)]
    agree(grid_sample, "GridSample", inputs, {"mode": mode}, opset=20, rtol=1e-5, atol=2e-5)


def test_grid_points_that_are_no_numbers_read_nothing() -> None:
    grid = np.array([[[[np.nan, 0], [np.inf, 0], [-1e30, 1e30]]]], np.float32)
    agree(grid_sample, "GridSample", [normal(1, 1, 4, 4), grid], opset=20, expected=[np.zeros((1, 1, 1, 3), np.float32)])


@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("coordinates", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("mode", ["avg", "max"])
def test_region_align(mode: str, coordinates: str, ratio: int) -> None:
    attributes: dict[str, Attribute] = {"mode": mode, "coordinate_transformation_mode": coordinates, "sampling_ratio": ratio}
    attributes |= {"output_height": 4, "output_width": 5, "spatial_scale": 0.8}
    agree(roi_align, "RoiAlign", [normal(2, 3, 10, 10), REGIONS, np.array([0, 1, 0, 1])], attributes, rtol=1e-5, atol=1e-5)


EQUATIONS = [
    ("ij->ji", [(3, 4)]),
    ("ij->i", [(3, 4)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("i,i", [(5,), (5,)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("ij,jk", [(3, 4), (4, 5)]),
    ("bhwc,hkc->bhwk", [(2, 3, 4, 5), (3, 6, 5)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]),
]


@pytest.mark.parametrize("equation, shapes", EQUATIONS, ids=[e for e, _ in EQUATIONS])
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    agree(einsum, "Einsum", [normal(*s) for s in shapes], {"equation": equation}, rtol=1e-5, atol=1e-5)
