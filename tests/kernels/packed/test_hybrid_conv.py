from __future__ import annotations

import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.packed.hybrid_conv import KERNELS
from tests.kernels.harness import check
from tests.kernels.hybrid_harness import KINDS, hybrid, weights

PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]] = {
    "1x1": ((1, 32, 7, 7), (48, 32, 1, 1), {}),
    "3x3 strided, few channels": ((1, 18, 17, 15), (40, 18, 3, 3), {**PADS, "strides": [2, 1]}),
    "grouped, in a batch": ((2, 64, 6, 6), (96, 32, 3, 3), {**PADS, "group": 2}),
    "stem": ((1, 3, 17, 17), (24, 3, 3, 3), {**PADS, "strides": [2, 2]}),
    "depthwise": ((1, 24, 9, 9), (24, 1, 3, 3), {**PADS, "group": 24}),
}


@pytest.mark.parametrize("kind", ["float16", "int4", "binary"])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_meaning(case: str, kind: str) -> None:
    shape, weight, attributes = CASES[case]
    check(*hybrid("HybridConv", shape, weights(kind, *weight), attributes), KERNELS)


@pytest.mark.parametrize("kind", KINDS)
def test_with_narrower_vectors(kind: str) -> None:
    shape, weight, attributes = CASES["3x3 strided, few channels"]
    check(*hybrid("HybridConv", shape, weights(kind, *weight), attributes), KERNELS, "x86-64-v3")


@pytest.mark.parametrize("channels", [1, 7, 8, 9, 15, 16, 17, 33])
def test_channels_around_the_vector_width(channels: int) -> None:
    codes = weights("binary", 34 - channels, channels, 3, 3)
    check(*hybrid("HybridConv", (1, channels, 6, 5), codes, PADS, per_channel=False), KERNELS)


@pytest.mark.parametrize("kind", ["", "Relu", "Silu"])
def test_residual_and_activation(kind: str) -> None:
    attributes: dict[str, Attribute] = {**PADS, "activation": kind}
    check(*hybrid("HybridConv", (1, 24, 7, 9), weights("int4", 20, 24, 3, 3), attributes, (1, 20, 7, 9)), KERNELS)
