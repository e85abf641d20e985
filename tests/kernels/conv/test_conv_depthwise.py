from __future__ import annotations

import pytest

from edgeopt.ir import OWN_DOMAIN, Attribute
from edgeopt.kernels.conv.conv_depthwise import KERNEL
from tests.kernels.harness import check, run, single, uniform

SIZES = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33]
CASES: dict[str, tuple[tuple[int, ...], int, dict[str, Attribute]]] = {
    "3x3": ((1, 32, 14, 14), 3, {"pads": [1, 1, 1, 1]}),
    "3x3 stride 2": ((2, 20, 13, 15), 3, {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "5x5": ((1, 16, 9, 30), 5, {"pads": [2, 2, 2, 2]}),
    "5x5 stride 2, uneven pads": ((1, 16, 12, 12), 5, {"pads": [1, 2, 2, 1], "strides": [2, 2]}),
    "dilated": ((1, 16, 12, 11), 3, {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "no pads": ((1, 16, 40, 6), 3, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case: str) -> None:
    shape, size, attributes = CASES[case]
    data = {"x": uniform(*shape)}
    graph = single("Conv", data, [uniform(shape[1], 1, size, size), uniform(shape[1])], {**attributes, "group": shape[1]})
    check(graph, data, [KERNEL])


@pytest.mark.parametrize("size", SIZES)
def test_channels_and_widths_around_the_vector_width(size: int) -> None:
    data = {"x": uniform(1, size, 5, 34 - size)}
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "group": size}
    check(single("Conv", data, [uniform(size, 1, 3, 3)], attributes), data, [KERNEL])


def test_activation() -> None:
    data = {"x": uniform(1, 16, 6, 6)}
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "group": 16, "activation": "Clip", "alpha": 0.0, "beta": 0.5}
    check(single("FusedConv", data, [uniform(16, 1, 3, 3), uniform(16)], attributes, OWN_DOMAIN), data, [KERNEL])


def test_declines_groups_of_several_channels() -> None:
    data = {"x": uniform(1, 16, 6, 6)}
    graph = single("Conv", data, [uniform(16, 2, 3, 3)], {"group": 8})
    with pytest.raises(AssertionError, match="not depthwise"):
        run(graph, data, [KERNEL])
