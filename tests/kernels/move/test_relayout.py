from __future__ import annotations

import pytest

from edgeopt.ir import Graph
from edgeopt.kernels.conv.conv_blocked import KERNEL
from tests.kernels.harness import check, single, uniform

SIZES = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33]


def identity(channels: int, height: int, width: int, pad: int) -> Graph:
    """A 1x1 convolution by the identity matrix; pads around it, cut off by their weights of zero, ask for a halo."""
    size = 2 * pad + 1
    weight = uniform(channels, channels, size, size) * 0
    weight[range(channels), range(channels), pad, pad] = 1
    return single("Conv", {"x": uniform(2, channels, height, width)}, [weight], {"pads": [pad] * 4})


@pytest.mark.parametrize("channels", SIZES)
def test_channels(channels: int) -> None:
    check(identity(channels, 3, 5, 0), {"x": uniform(2, channels, 3, 5)}, [KERNEL])


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("pad", [0, 1])
def test_widths_with_and_without_halo(width: int, pad: int) -> None:
    check(identity(9, 2, width, pad), {"x": uniform(2, 9, 2, width)}, [KERNEL])


def test_every_conversion_is_used() -> None:
    from edgeopt.lower.lowering import lower
    from edgeopt.target import host

    steps = lower(identity(9, 4, 4, 1), host(), "model", [KERNEL]).native
    made = [(s.call.function.__module__.rsplit(".", 1)[-1], s.call.function.__qualname__.split(".")[0]) for s in steps]
    assert made == [
        ("relayout", "_function"),
        ("relayout", "_fill"),
        ("conv_blocked", "conv_function"),
        ("relayout", "_function"),
    ]
