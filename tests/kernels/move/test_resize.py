from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.move import resize
from tests.kernels.one_node import agree, int64, integers, normal

COORDINATES = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric", "tf_crop_and_resize"]
REGION = np.array([0, 0, 0.1, 0.2, 1, 1, 0.8, 1.2], np.float32)


def _scales(*values: float) -> Array:
    return np.array(values, np.float32)


@pytest.mark.parametrize("scales", [(1, 1, 2, 2), (1, 1, 3, 0.5), (1, 1, 1.25, 2.6)], ids=str)
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_coordinates(mode: str, coordinates: str, scales: tuple[float, ...]) -> None:
    attributes: dict[str, Attribute] = {"mode": mode, "coordinate_transformation_mode": coordinates, "extrapolation_value": 7.0}
    region = REGION if coordinates == "tf_crop_and_resize" else None
    agree(resize, "Resize", [normal(1, 2, 4, 5), region, _scales(*scales)], attributes, constant=[1, 2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_rounding_of_nearest(rounding: str) -> None:
    attributes: dict[str, Attribute] = {"nearest_mode": rounding, "coordinate_transformation_mode": "asymmetric"}
    agree(resize, "Resize", [normal(1, 2, 5, 6), None, _scales(1, 1, 2, 0.4)], attributes, constant=[2])


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_sizes_of_some_axes(mode: str, policy: str) -> None:
    attributes: dict[str, Attribute] = {"mode": mode, "axes": [2, 3], "keep_aspect_ratio_policy": policy}
    agree(resize, "Resize", [normal(1, 2, 4, 5), None, None, int64(7, 8)], attributes, constant=[3], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("outside", [0, 1])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_antialiasing(mode: str, outside: int) -> None:
    attributes: dict[str, Attribute] = {"mode": mode, "antialias": 1, "exclude_outside": outside}
    agree(resize, "Resize", [normal(1, 2, 8, 9), None, _scales(1, 1, 0.4, 0.6)], attributes, constant=[2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_bytes_are_rounded(mode: str) -> None:
    x = integers(1, 2, 4, 5, low=0, high=255, dtype="uint8")
    agree(resize, "Resize", [x, None, _scales(1, 1, 2, 1.5)], {"mode": mode}, constant=[2])
