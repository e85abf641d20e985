"""Convolutions over one to three spatial axes, as sums of those over the last two.

Fewer axes are three of which the first are one long: [N, C, L] is [N, C, 1, 1, L].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeopt.evaluate.loops import Window, rows_at
from edgeopt.ir import Array, Node

SPATIAL = 3
Product = Callable[[Array, Array, Window], Array]


@dataclass(frozen=True)
class Volume:
    """``plane``: the window over the last two axes. The others are of the axis in front: taps, stride, dilation and pads."""

    plane: Window
    taps: int
    stride: int
    dilation: int
    front: int
    back: int

    def outputs(self, depth: int, height: int, width: int) -> tuple[int, int, int]:
        """The number of windows along each axis of a map."""
        free = depth + self.front + self.back - self.dilation * (self.taps - 1) - 1
        return (free // self.stride + 1, *self.plane.outputs(height, width))

    def sources(self, place: int, depth: int) -> list[tuple[int, int]]:
        """(tap, plane of the map) of the windows at ``place`` along the first axis, without those that lie in the pads."""
        first = place * self.stride - self.front
        planes = [(tap, first + tap * self.dilation) for tap in range(self.taps)]
        return [(tap, plane) for tap, plane in planes if 0 <= plane < depth]


def volume_of(node: Node, kernel: tuple[int, ...]) -> Volume | None:
    """The Volume of a convolution with one to three spatial axes and explicit pads; None for other forms."""
    automatic, axes = node.text("auto_pad", "NOTSET"), len(kernel)
    if not 1 <= axes <= SPATIAL or automatic not in ("NOTSET", "VALID"):
        return None
    pads = node.integers("pads", (0,) * 2 * axes) if automatic == "NOTSET" else (0,) * 2 * axes
    ones, zeros = (1,) * (SPATIAL - axes), (0,) * (SPATIAL - axes)
    kd, kh, kw = (*ones, *kernel)
    sd, sh, sw = (*ones, *node.integers("strides", (1,) * axes))
    dd, dh, dw = (*ones, *node.integers("dilations", (1,) * axes))
    front, top, left = (*zeros, *pads[:axes])
    back, bottom, right = (*zeros, *pads[axes:])
    return Volume(Window((kh, kw), (sh, sw), (dh, dw), (top, left), (bottom, right)), kd, sd, dd, front, back)


def lifted(array: Array) -> Array:
    """A map or weight with three spatial axes."""
    shape = array.shape
    return array.reshape(*shape[:2], *(1,) * (SPATIAL + 2 - array.ndim), *shape[2:])


def convolve(x: Array, w: Array, volume: Volume, product: Product) -> Array:
    """The convolution of x [N, C, D, H, W] with w [M, C / group, kd, kh, kw]; ``product`` is that of planes."""
    depth = x.shape[2]
    out = volume.outputs(*x.shape[2:])
    if depth == out[0] == volume.taps == 1 and not volume.front:
        return product(x[:, :, 0], w[:, :, 0], volume.plane)[:, :, None]
    y = np.zeros((len(x), len(w), *out), np.float32)
    for place in range(out[0]):
        for tap, plane in volume.sources(place, depth):
            y[:, :, place] += product(x[:, :, plane], w[:, :, tap], volume.plane)
    return y


def rows_in(x: Array, volume: Volume, positions: Array, groups: int) -> Array:
    """The windows of x [C, D, H, W] at ``positions`` (row-major), as rows [groups, positions, C / groups * kd * kh * kw]."""
    depth, kernel = x.shape[1], volume.plane.kernel[0] * volume.plane.kernel[1]
    if depth == volume.taps == 1 and not volume.front + volume.back:
        return rows_at(np.ascontiguousarray(x[:, 0]), volume.plane, positions, groups)
    channels, (_, height, width) = x.shape[0] // groups, volume.outputs(*x.shape[1:])
    out = np.zeros((groups, len(positions), channels, volume.taps, kernel), np.float32)
    places, inside = np.divmod(positions, height * width)
    for place in np.unique(places):
        here = np.flatnonzero(places == place)
        for tap, plane in volume.sources(int(place), depth):
            rows = rows_at(np.ascontiguousarray(x[:, plane]), volume.plane, inside[here], groups)
            out[:, :, :, tap][:, here] = rows.reshape(groups, len(here), channels, kernel)
    return out.reshape(groups, len(positions), -1)
