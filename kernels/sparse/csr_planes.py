"""Where a sparse convolution over plain maps finds its inputs: planes of padded rows, one for each phase of the strides.

The map is padded, then row i and column j of phase (p, q) are its row i * stride + p and column j * stride + q. A tap is a shift
within a plane, and output position (row, column) lies ``row * pitch + column`` behind the first one in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, KernelCall, Operand, Site, Temporary, Tensor
from edgeopt.kernels.walk.plane_window import PlaneWindow

ALIGNED = 16  # elements: a line of the cache


@dataclass(frozen=True)
class Planes:
    """``pitch`` elements from row to row, ``plane`` from channel to channel and phase to phase; ``rows`` of output positions.

    A map that a 1x1 window of stride one reads is a single row of all its positions. ``copied``: the planes are made first.
    """

    window: PlaneWindow
    channels: int
    pitch: int
    plane: int
    rows: int
    columns: int
    copied: bool

    @property
    def phases(self) -> int:
        """Planes of a channel."""
        return self.window.strides[0] * self.window.strides[1]

    @property
    def image(self) -> int:
        """Elements from image to image."""
        return self.channels * self.phases * self.plane

    def shift(self, tap: Array) -> Array:
        """Elements from an output position to what a tap reads, within a plane."""
        down, right = (self._along(tap, axis) // self.window.strides[axis] for axis in (0, 1))
        return np.asarray(down * self.pitch + right)

    def base(self, tap: Array, channel: Array) -> Array:
        """Elements from the first plane to that of a channel in the phase that a tap reads."""
        down, right = (self._along(tap, axis) % self.window.strides[axis] for axis in (0, 1))
        return np.asarray(((down * self.window.strides[1] + right) * self.channels + channel) * self.plane)

    def _along(self, tap: Array, axis: int) -> Array:
        place = tap // self.window.kernel[1] if axis == 0 else tap % self.window.kernel[1]
        return np.asarray(place * self.window.dilations[axis])


def planes(x: Tensor, y: Tensor, window: PlaneWindow) -> Planes:
    """The Planes of a convolution from ``x`` to ``y``, both plain."""
    (channels, height, width), (rows, columns) = x.shape[1:], y.shape[2:]
    if window.kernel == (1, 1) == window.strides and not any(window.pads):
        whole = _rounded(height * width)
        return Planes(window, channels, whole, whole, 1, height * width, whole != height * width)
    reach = [(k - 1) * d // s for k, d, s in zip(window.kernel, window.dilations, window.strides, strict=True)]
    pitch = _pitch(window, x.shape[3], columns, reach[1])
    return Planes(window, channels, pitch, _rounded((rows + reach[0]) * pitch + reach[1]) + ALIGNED, rows, columns, True)


def _pitch(window: PlaneWindow, width: int, columns: int, reach: int) -> int:
    """Elements from row to row: the zeros that pad a row on its left may pad the one before it on its right."""
    left, stride = window.pads[1], window.strides[1]
    data = min(columns + reach, (width - 1 + left) // stride + 1)
    least = max(columns, columns + reach - left // stride, data)
    half, whole = (-(-least // step) * step for step in (ALIGNED // 2, ALIGNED))
    return half if half <= 0.8 * whole else whole


def _rounded(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


def planes_of(site: Site, made: Planes) -> tuple[tuple[KernelCall, ...], Operand]:
    """The operand that holds the planes, and the call that makes them where they are no input as it lies."""
    x = site.given(0)
    if not made.copied:
        return (), Input(0)
    copy = Temporary("planes", x.shape[0] * made.image + ALIGNED)
    (down, right), (top, left) = made.window.strides, made.window.pads[:2]
    (height, width), pitch = x.shape[2:], made.pitch
    if made.rows == 1 and made.window.kernel == (1, 1) and made.columns == height * width:
        height, width, top, left = 1, height * width, 0, 0
    numbers = (made.channels, made.phases, down, right, height, width, top, left, pitch, made.plane)
    return (KernelCall(_spread, (Input(0), copy), numbers, x.shape[0] * made.phases * made.channels),), copy


def _spread(
    x: Any, y: Any, begin: Any, end: Any, channels: Any, phases: Any, down: Any, right: Any, height: Any, width: Any,
    top: Any, left: Any, pitch: Any, plane: Any,
) -> None:  # fmt: skip
    for chunk in range(begin, end):
        image, phase, channel = chunk // (phases * channels), chunk // channels % phases, chunk % channels
        source, made = (image * channels + channel) * height * width, chunk * plane
        first, offset = phase // right - top, phase % right - left
        start = -(offset // right) if offset < 0 else 0
        stop = (width - 1 - offset) // right + 1
        stop = stop if stop < pitch else pitch
        for row in range(plane // pitch):
            line, place = first + row * down, made + row * pitch
            inside = 0 <= line < height
            head, tail = (start, stop) if inside else (pitch, pitch)
            for i in range(head):
                y[place + i] = 0.0
            for i in range(head, tail):
                y[place + i] = x[source + line * width + i * right + offset]
            for i in range(tail, pitch):
                y[place + i] = 0.0
        for i in range(made + plane // pitch * pitch, made + plane):
            y[i] = 0.0
