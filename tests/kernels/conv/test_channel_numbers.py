"""PReluConv: each kernel reads the slopes of its channels beside their biases."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN, Attribute
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.conv import conv_blocked, conv_depthwise, conv_direct, conv_stem, conv_winograd
from tests.kernels.harness import check, run, single, uniform

Case = tuple[Kernel, tuple[int, ...], tuple[int, ...], dict[str, Attribute]]
PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
CASES: dict[str, Case] = {
    "blocked": (conv_blocked.KERNEL, (2, 24, 7, 9), (70, 24, 3, 3), PADS),
    "blocked, flat": (conv_blocked.KERNEL, (1, 32, 6, 6), (33, 32, 1, 1), {}),
    "blocked, merged groups": (conv_blocked.KERNEL, (1, 60, 6, 6), (30, 20, 3, 3), {**PADS, "group": 3}),
    "depthwise": (conv_depthwise.KERNEL, (2, 37, 9, 8), (37, 1, 3, 3), {**PADS, "group": 37}),
    "narrow groups": (conv_depthwise.KERNEL, (1, 40, 9, 7), (40, 4, 3, 3), {**PADS, "group": 10}),
    "winograd": (conv_winograd.KERNEL, (1, 64, 13, 13), (70, 64, 3, 3), PADS),
    "winograd, in blocks": (conv_winograd.KERNEL, (1, 64, 40, 28), (64, 64, 3, 3), PADS),
    "definition": (conv_direct.KERNEL, (2, 4, 6, 7), (6, 2, 3, 3), {**PADS, "group": 2}),
    "definition, a sequence": (conv_direct.KERNEL, (2, 4, 9), (6, 4, 3), {}),
}


NARROW = ("blocked", "depthwise", "winograd")  # once more with other vectors than the host's


@pytest.mark.parametrize(("case", "where"), [*((case, "host") for case in CASES), *((case, "x86-64-v3") for case in NARROW)])
def test_residual_and_slopes(case: str, where: str) -> None:
    kernel, shape, weight, attributes = CASES[case]
    slopes = uniform(weight[0], *[1] * (len(shape) - 2))
    sizes = [s - w + 1 + (2 if "pads" in attributes else 0) for s, w in zip(shape[2:], weight[2:], strict=True)]
    data = {"x": uniform(*shape), "r": uniform(shape[0], weight[0], *sizes)}
    graph = single("PReluConv", data, [uniform(*weight), uniform(weight[0])], attributes, OWN_DOMAIN, [data["r"]])
    graph.nodes[0].set_input(4, graph.constant("slopes", slopes))
    check(graph, data, [kernel], where, tolerance=1e-4 if kernel is conv_winograd.KERNEL else 1e-5)


@pytest.mark.parametrize("outputs", [1, 15, 17, 40])
def test_slopes_of_a_stem_without_a_bias(outputs: int) -> None:
    data = {"x": uniform(1, 3, 17, 19)}
    constants = [uniform(outputs, 3, 3, 3), None, None, uniform(outputs, 1, 1)]
    graph = single("PReluConv", data, constants, {"strides": [2, 2]}, OWN_DOMAIN)
    check(graph, data, [conv_stem.KERNEL])


@pytest.mark.parametrize("kernel", [conv_blocked.KERNEL, conv_direct.KERNEL])
def test_what_is_not_a_number_stays_so(kernel: Kernel) -> None:
    data = {"x": np.array([-2.0, 3.0, np.nan, -np.inf], np.float32).reshape(1, 1, 2, 2)}
    weight, slopes = np.ones((2, 1, 1, 1), np.float32), np.array([0.5, -2.0], np.float32).reshape(2, 1, 1)
    found = run(single("PReluConv", data, [weight, None, None, slopes], {}, OWN_DOMAIN), data, [kernel])
    expected = [[-1.0, 3.0, np.nan, -np.inf], [4.0, 3.0, np.nan, np.inf]]
    np.testing.assert_array_equal(found.reshape(2, 4), np.array(expected, np.float32))
