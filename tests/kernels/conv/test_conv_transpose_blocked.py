from __future__ import annotations

import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.conv.conv_transpose_blocked import KERNEL
from edgeopt.kernels.walk.phases import axis_phases
from tests.kernels.harness import check, single, uniform

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]] = {
    "2x2 stride 2": ((1, 32, 6, 5), (32, 16, 2, 2), {"strides": [2, 2]}),
    "3x3 stride 2, phases of 1 to 4 taps": (
        (2, 17, 5, 6),
        (17, 7, 3, 3),
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 0]},
    ),
    "4x4 stride 2": ((1, 16, 7, 4), (16, 33, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "stride 1": ((1, 7, 6, 6), (7, 20, 3, 2), {}),
    "phases without taps": ((1, 8, 4, 3), (8, 9, 2, 1), {"strides": [3, 2]}),
    "dilated": ((1, 16, 5, 5), (16, 16, 3, 2), {"strides": [2, 3], "dilations": [3, 2], "pads": [2, 1, 0, 1]}),
    "grouped in blocks": ((1, 32, 4, 5), (32, 16, 3, 3), {"group": 2, "strides": [2, 2]}),
    "groups that fill no block": ((2, 12, 4, 5), (12, 5, 3, 3), {"group": 4, "strides": [2, 1], "pads": [1, 1, 0, 1]}),
    "two groups to a block": ((1, 32, 3, 5), (32, 8, 2, 2), {"group": 4, "strides": [2, 2]}),
    "depthwise": ((1, 32, 4, 5), (32, 1, 4, 4), {"group": 32, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "larger output": ((1, 16, 3, 3), (16, 16, 3, 3), {"strides": [3, 2], "output_shape": [10, 8]}),
    "same upper": ((1, 16, 3, 3), (16, 16, 3, 4), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "same lower": ((1, 16, 3, 3), (16, 16, 3, 4), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    "one channel": ((1, 1, 3, 9), (1, 1, 5, 5), {"strides": [2, 2], "pads": [3, 1, 1, 3]}),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case: str) -> None:
    shape, weight, attributes = CASES[case]
    data, outputs = {"x": uniform(*shape)}, weight[1] * int(str(attributes.get("group", 1)))
    check(single("ConvTranspose", data, [uniform(*weight), uniform(outputs)], attributes), data, [KERNEL])


@pytest.mark.parametrize("where", ["x86-64-v3"])
def test_agrees_with_narrower_vectors(where: str) -> None:
    data = {"x": uniform(1, 17, 5, 6)}
    graph = single("ConvTranspose", data, [uniform(17, 7, 3, 3)], {"strides": [2, 2], "pads": [1, 1, 1, 1]})
    check(graph, data, [KERNEL], where)


@pytest.mark.parametrize(("kernel", "stride", "dilation", "pad"), [(3, 2, 1, 1), (2, 3, 1, 0), (4, 2, 3, 2), (5, 4, 2, 3)])
def test_phases_are_the_definition(kernel: int, stride: int, dilation: int, pad: int) -> None:
    """Every product of a tap and an input lands in one phase, at the output that the definition names."""
    source, result = 6, 17
    wanted = {(i, k, i * stride + k * dilation - pad) for i in range(source) for k in range(kernel)}
    found = {
        (q + phase.start + t * phase.step, k, phase.first + q * stride)
        for phase in axis_phases(result, kernel, stride, dilation, pad)
        for q in range(phase.count)
        for t, k in enumerate(phase.taps)
    }
    assert {f for f in found if 0 <= f[0] < source} == {w for w in wanted if 0 <= w[2] < result}
