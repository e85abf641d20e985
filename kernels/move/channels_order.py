"""Maps of bytes between the plain order and channels last, a channel after the other."""

from __future__ import annotations

from typing import Any

from edgeopt.kernels.call import Input, KernelCall, Output, Tensor


def exchange(maps: Tensor, to_last: bool) -> KernelCall:
    """N, C, H, W to N, H, W, C, or back; ``maps`` lies channels last. Chunks are channels of an image."""
    images, channels, height, width = maps.shape
    return KernelCall(_to_last if to_last else _to_plain, (Input(0), Output(0)), (channels, height * width), images * channels)


def _to_last(x: Any, y: Any, begin: Any, end: Any, channels: Any, area: Any) -> None:
    for chunk in range(begin, end):
        made = (chunk // channels) * area * channels + chunk % channels
        for i in range(area):
            y[made + i * channels] = x[chunk * area + i]


def _to_plain(x: Any, y: Any, begin: Any, end: Any, channels: Any, area: Any) -> None:
    for chunk in range(begin, end):
        source = (chunk // channels) * area * channels + chunk % channels
        for i in range(area):
            y[chunk * area + i] = x[source + i * channels]
