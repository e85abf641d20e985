from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.conv.conv_blocked import KERNEL as CONV
from edgeopt.kernels.move.remap_blocked import KERNEL
from tests.kernels.blocked import behind_convolution
from tests.kernels.harness import check, uniform


def ints(*values: int) -> Array:
    return np.asarray(values, np.int64)


SLICES: dict[str, tuple[Array, ...]] = {
    "every second position": (ints(0, 0), ints(99, 99), ints(2, 3), ints(2, 2)),
    "odd and even channels": (ints(1), ints(99), ints(1), ints(2)),
    "whole blocks": (ints(16), ints(32), ints(1)),
    "across blocks": (ints(7), ints(40), ints(1)),
    "backwards": (ints(-1, 5), ints(-99, 1), ints(3, 1), ints(-1, -2)),
}
PADS: dict[str, tuple[Array | None, ...]] = {
    "channels on both sides": (ints(0, 8, 0, 0, 0, 8, 0, 0),),
    "whole blocks of channels": (ints(0, 16, 0, 0, 0, 0, 0, 0),),
    "border of twos": (ints(0, 0, 1, 2, 0, 0, 3, 0), np.asarray(2, np.float32)),
    "channels of twos behind": (ints(0, 0, 0, 0, 0, 2, 0, 0), np.asarray(2, np.float32)),
    "two axes": (ints(1, 2, 3, 4), None, ints(3, 2)),
}


@pytest.mark.parametrize("name", SLICES)
@pytest.mark.parametrize("channels", [48, 43])
def test_slice(name: str, channels: int) -> None:
    shape = (2, channels, 7, 9)
    check(behind_convolution("Slice", shape, SLICES[name]), {"x": uniform(*shape)}, [KERNEL, CONV])


@pytest.mark.parametrize("name", PADS)
@pytest.mark.parametrize("channels", [32, 19])
def test_pad(name: str, channels: int) -> None:
    shape = (1, channels, 5, 8)
    check(behind_convolution("Pad", shape, PADS[name]), {"x": uniform(*shape)}, [KERNEL, CONV])


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_pad_modes(mode: str) -> None:
    graph = behind_convolution("Pad", (1, 20, 6, 7), PADS["two axes"], {"mode": mode})
    check(graph, {"x": uniform(1, 20, 6, 7)}, [KERNEL, CONV])


@pytest.mark.parametrize("transformation", ["asymmetric", "half_pixel", "align_corners"])
@pytest.mark.parametrize("size", [(12, 10), (3, 17)])
def test_nearest_resize(transformation: str, size: tuple[int, int]) -> None:
    attributes: dict[str, Attribute] = {"mode": "nearest", "coordinate_transformation_mode": transformation}
    graph = behind_convolution("Resize", (1, 24, 6, 5), [None, None, ints(1, 24, *size)], attributes)
    check(graph, {"x": uniform(1, 24, 6, 5)}, [KERNEL, CONV])
