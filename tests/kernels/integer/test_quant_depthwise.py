from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.integer.quant_depthwise import KERNEL, Piece, Slide, pack
from edgeopt.kernels.integer.quant_depthwise_wide import KERNEL as WIDE
from edgeopt.kernels.integer.requantize import Requantize
from edgeopt.target import target
from tests.kernels.integer.test_quant_conv import Shape, check
from tests.kernels.quant_harness import Grid

pytestmark = pytest.mark.skipif(
    target("host").lookup != "vpermb", reason="this processor cannot permute bytes of 512-bit registers"
)

CASES: dict[str, tuple[Shape, Shape, dict[str, Attribute]]] = {
    "3x3": ((1, 32, 14, 14), (32, 1, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3, odd width": ((1, 32, 7, 7), (32, 1, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3, wide": ((1, 16, 5, 37), (16, 1, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3 strided": ((2, 48, 15, 14), (48, 1, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "3x3 without pads": ((1, 16, 9, 8), (16, 1, 3, 3), {}),
    "5x5": ((1, 32, 9, 10), (32, 1, 5, 5), {"pads": [2, 2, 2, 2]}),
    "7x4 strided": ((1, 16, 17, 19), (16, 1, 7, 4), {"pads": [3, 1, 3, 2], "strides": [2, 2]}),
    "9x9": ((1, 16, 12, 12), (16, 1, 9, 9), {"pads": [4, 4, 4, 4]}),
    "dilated rows": ((1, 16, 12, 12), (16, 1, 3, 3), {"pads": [2, 1, 2, 1], "dilations": [2, 1]}),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_meaning(case: str) -> None:
    shape, weight, attributes = CASES[case]
    check(shape, weight, attributes | {"group": shape[1]}, [KERNEL], y=Grid(0.02, 131))


def test_signed_codes() -> None:
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "group": 32}
    check((1, 32, 9, 9), (32, 1, 3, 3), attributes, [KERNEL], x=Grid(0.02, -17, "int8"), y=Grid(0.02, 3, "int8"))


@pytest.mark.parametrize("channels", [5, 15, 17, 33])
def test_channels_around_the_vector_width(channels: int) -> None:
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "group": channels, "activation": "Clip", "alpha": 0.0, "beta": 2.5}
    check((1, channels, 8, 8), (channels, 1, 3, 3), attributes, [KERNEL], y=Grid(0.02, 3))


@pytest.mark.parametrize("kernel, x", [(3, Grid(0.02, 117)), (5, Grid(0.02, -17, "int8"))])
def test_dilated_windows_multiply_words(kernel: int, x: Grid) -> None:
    attributes: dict[str, Attribute] = {"pads": [kernel - 1] * 4, "dilations": [2, 2], "group": 20}
    check((1, 20, 11, 9), (20, 1, kernel, kernel), attributes, [KERNEL, WIDE], x=x, y=Grid(0.02, 131))


def test_outputs_that_share_a_register_share_the_weights() -> None:
    slide = Slide(((), ()), (Piece(0, 3, 0), Piece(0, 3, 1)), 3, 160, 1, 16, Requantize("uint8"), False)
    weight = np.arange(1, 1 + 17 * 9).reshape(17, 1, 3, 3) % 100
    packed = pack(weight, slide, 2, target("host"))
    assert packed.shape == (2, 3, 1, 16)
    assert packed[0, 1, 0, 2] == weight[2, 0, 1, 0] + (weight[2, 0, 1, 1] << 8) + (weight[2, 0, 1, 2] << 16)
    assert not packed[1, :, :, 1:].any()
