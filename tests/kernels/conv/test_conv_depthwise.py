from __future__ import annotations

import pytest

from edgeopt.ir import OWN_DOMAIN, Attribute
from edgeopt.kernels.conv import conv_blocked
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


@pytest.mark.parametrize("kind", ["", "Relu"])
def test_residual(kind: str) -> None:
    data = {"x": uniform(1, 20, 6, 9), "r": uniform(1, 20, 6, 9)}
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "group": 20, "activation": kind}
    graph = single("FusedConv", data, [uniform(20, 1, 3, 3), uniform(20)], attributes, OWN_DOMAIN, [data["r"]])
    check(graph, data, [KERNEL])


def test_a_window_longer_than_the_registers() -> None:
    data = {"x": uniform(1, 17, 1, 50)}
    check(single("Conv", data, [uniform(17, 1, 1, 31)], {"pads": [0, 15, 0, 15], "group": 17}), data, [KERNEL])


@pytest.mark.parametrize(("channels", "group"), [(16, 8), (40, 10), (24, 3), (12, 3), (14, 7)])
@pytest.mark.parametrize("where", ["host", "x86-64-v3"])
def test_groups_that_divide_a_vector(channels: int, group: int, where: str) -> None:
    data = {"x": uniform(2, channels, 9, 7), "r": uniform(2, channels, 5, 4)}
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "strides": [2, 2], "group": group, "activation": "Silu"}
    weights = [uniform(channels, channels // group, 3, 3), uniform(channels)]
    graph = single("FusedConv", data, weights, attributes, OWN_DOMAIN, [data["r"]])
    check(graph, data, [KERNEL, conv_blocked.KERNEL], where, tolerance=2e-5)


def test_declines_groups_that_do_not_divide_a_vector() -> None:
    data = {"x": uniform(1, 15, 6, 6)}
    graph = single("Conv", data, [uniform(15, 3, 3, 3)], {"group": 5})
    with pytest.raises(AssertionError, match="do not divide a vector"):
        run(graph, data, [KERNEL])
