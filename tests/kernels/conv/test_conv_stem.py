from __future__ import annotations

import pytest

from edgeopt.ir import OWN_DOMAIN, Attribute
from edgeopt.kernels.conv.conv_stem import KERNEL
from tests.kernels.harness import check, run, single, uniform

SIZES = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33]
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]] = {
    "7x7 stride 2": ((1, 3, 30, 28), (64, 3, 7, 7), {"pads": [3, 3, 3, 3], "strides": [2, 2]}),
    "3x3 stride 2, no pads": ((2, 3, 17, 19), (32, 3, 3, 3), {"strides": [2, 2]}),
    "11x11 stride 4": ((1, 3, 43, 43), (96, 3, 11, 11), {"strides": [4, 4]}),
    "same upper": ((1, 4, 12, 11), (20, 4, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "tall window": ((1, 1, 49, 10), (64, 1, 10, 4), {"pads": [4, 1, 5, 1], "strides": [2, 2]}),
    "dilated": ((1, 2, 14, 14), (16, 2, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case: str) -> None:
    shape, weight, attributes = CASES[case]
    data = {"x": uniform(*shape)}
    check(single("Conv", data, [uniform(*weight), uniform(weight[0])], attributes), data, [KERNEL])


@pytest.mark.parametrize("size", SIZES)
def test_outputs_and_widths_around_the_vector_width(size: int) -> None:
    data = {"x": uniform(1, 1, 4, 34 - size)}
    check(single("Conv", data, [uniform(size, 1, 3, 3)], {"pads": [1, 1, 1, 1]}), data, [KERNEL])


def test_activation() -> None:
    data = {"x": uniform(1, 3, 9, 9)}
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "activation": "Relu"}
    check(single("FusedConv", data, [uniform(16, 3, 3, 3), uniform(16)], attributes, OWN_DOMAIN), data, [KERNEL])


def test_declines_many_channels() -> None:
    data = {"x": uniform(1, 5, 4, 4)}
    with pytest.raises(AssertionError, match="more than 4"):
        run(single("Conv", data, [uniform(4, 5, 1, 1)]), data, [KERNEL])
