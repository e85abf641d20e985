from __future__ import annotations

import pytest

from edgeopt.codegen.kernel_text import kernel_name
from edgeopt.ir import OWN_DOMAIN, Attribute
from edgeopt.kernels.conv.conv_blocked import KERNEL, Direct
from edgeopt.kernels.stated import form_of
from edgeopt.lower.lowering import lower
from edgeopt.target import target as find_target
from tests.kernels.harness import check, run, single, uniform

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]] = {
    "1x1 flat": ((1, 32, 7, 7), (48, 32, 1, 1), {}),
    "1x1 strided": ((1, 16, 9, 11), (16, 16, 1, 1), {"strides": [2, 2]}),
    "3x3 padded": ((1, 16, 14, 13), (32, 16, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3 strided, uneven pads": ((1, 16, 17, 15), (16, 16, 3, 3), {"pads": [0, 1, 1, 0], "strides": [2, 1]}),
    "3x3 dilated": ((1, 16, 12, 12), (16, 16, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "5x3 in a batch": ((3, 24, 8, 9), (40, 24, 5, 3), {"pads": [2, 1, 2, 1]}),
    "grouped": ((2, 64, 6, 6), (96, 32, 3, 3), {"pads": [1, 1, 1, 1], "group": 2}),
    "3 groups of 20, merged into one": ((1, 60, 6, 6), (30, 20, 3, 3), {"pads": [1, 1, 1, 1], "group": 3}),
    "6 groups of 24, merged in twos": ((2, 144, 5, 6), (96, 24, 1, 1), {"group": 6}),
    "7 groups of 1 to 2": ((1, 7, 6, 5), (14, 1, 3, 3), {"group": 7}),
    "same upper": ((1, 16, 10, 9), (16, 16, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "one pixel": ((1, 64, 1, 1), (96, 64, 1, 1), {}),
    "many channels": ((1, 112, 5, 5), (112, 112, 3, 3), {"pads": [1, 1, 1, 1]}),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case: str) -> None:
    shape, weight, attributes = CASES[case]
    data = {"x": uniform(*shape)}
    check(single("Conv", data, [uniform(*weight), uniform(weight[0])], attributes), data, [KERNEL])


@pytest.mark.parametrize("channels", [1, 7, 8, 9, 15, 16, 17, 31, 32, 33])
def test_channels_around_the_vector_width(channels: int) -> None:
    data = {"x": uniform(1, channels, 6, 5)}
    weight = uniform(34 - channels, channels, 3, 3)
    check(single("Conv", data, [weight], {"pads": [1, 1, 1, 1]}), data, [KERNEL])


@pytest.mark.parametrize("kind", ["", "Relu", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish", "Sigmoid", "Silu", "Tanh", "Gelu"])
def test_residual_and_activation(kind: str) -> None:
    data = {"x": uniform(1, 24, 7, 9), "r": uniform(1, 20, 7, 9)}
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "activation": kind}
    if kind == "Clip":
        attributes |= {"alpha": -0.5, "beta": 0.75}
    graph = single("FusedConv", data, [uniform(20, 24, 3, 3), uniform(20)], attributes, OWN_DOMAIN, [data["r"]])
    check(graph, data, [KERNEL], tolerance=2e-5)


def test_declines_groups_that_would_be_mostly_zeros() -> None:
    data = {"x": uniform(1, 51, 4, 4)}
    graph = single("Conv", data, [uniform(34, 3, 1, 1)], {"group": 17})
    with pytest.raises(AssertionError, match="do not fill blocks"):
        run(graph, data, [KERNEL])


@pytest.mark.parametrize(("outputs", "residual"), [(88, False), (104, True), (1000, False)])
def test_a_narrower_tile_ends_vectors_that_none_divides(outputs: int, residual: bool) -> None:
    """Eleven, thirteen and 125 vectors of AVX2."""
    where = find_target("x86-64-v3")
    data = {"x": uniform(2, 20, 5, 7)} | ({"r": uniform(2, outputs, 5, 7)} if residual else {})
    others, attributes = [data["r"]] if residual else [], {"activation": "Relu"}
    graph = single("FusedConv", data, [uniform(outputs, 20, 1, 1), uniform(outputs)], attributes, OWN_DOMAIN, others)
    forms = [form_of(step.call.function) for step in lower(graph, where, "single", [KERNEL]).native]
    assert [form.last is not None for form in forms if isinstance(form, Direct)] == [True]
    check(graph, data, [KERNEL], where)


@pytest.mark.parametrize("window", [1, 3])
def test_maps_of_different_sizes_share_their_code(window: int) -> None:
    """What a tile computes does not depend on the size of the map, only where it reads and writes does."""
    names = set()
    for height in (16, 24):
        data = {"x": uniform(1, 32, height, 32)}
        graph = single("Conv", data, [uniform(48, 32, window, window), uniform(48)], {"pads": [window // 2] * 4})
        program = lower(graph, find_target("x86-64-v3"), "one", [KERNEL])
        names |= {kernel_name(step) for step in program.native if step.call.full_name == "conv_blocked.convolve"}
    assert len(names) == 1
