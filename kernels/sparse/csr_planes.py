"""Where a sparse convolution over plain maps finds its inputs: planes of padded rows, one for each phase of the strides.

The map is padded, then row i and column j of phase (p, q) are its row i * stride + p and column j * stride + q. A tap is a shift
within a plane, and output position (row, column) lies ``row * pitch + column`` behind the first one in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Tensor
from edgeopt.kernels.walk.plane_window import PlaneWindow

ALIGNED = 16  # elements: a line of the cache


@dataclass(frozen=True)
class PlainMap:
    """Heights and widths of a map (``source``) and of its result; rows of planes lie ``pitch`` elements apart.

    ``flat``: a map that a 1x1 window of stride one reads is a single row of all its positions, of which tiles are parts.
    """

    window: PlaneWindow
    source: tuple[int, int]
    result: tuple[int, int]
    pitch: int
    flat: bool = False

    @property
    def phases(self) -> int:
        """Planes of a channel."""
        return self.window.strides[0] * self.window.strides[1]

    @property
    def reach(self) -> tuple[int, int]:
        """How many rows and columns of a plane a window reaches beyond its first one."""
        window = self.window
        down, right = ((window.kernel[i] - 1) * window.dilations[i] // window.strides[i] for i in (0, 1))
        return down, right

    def shift(self, tap: Array) -> Array:
        """Elements from an output position to what a tap reads, within a plane."""
        down, right = (self._along(tap, axis) // self.window.strides[axis] for axis in (0, 1))
        return np.asarray(down * self.pitch + right)

    def phase(self, tap: Array) -> Array:
        """The plane of a channel that a tap reads."""
        down, right = (self._along(tap, axis) % self.window.strides[axis] for axis in (0, 1))
        return np.asarray(down * self.window.strides[1] + right)

    def _along(self, tap: Array, axis: int) -> Array:
        place = tap // self.window.kernel[1] if axis == 0 else tap % self.window.kernel[1]
        return np.asarray(place * self.window.dilations[axis])


@dataclass(frozen=True)
class Planes:
    """Those of ``channels`` and of a tile of ``rows`` and ``columns`` of output positions."""

    map: PlainMap
    rows: int
    columns: int
    channels: int

    @property
    def plane(self) -> int:
        """Elements from channel to channel and phase to phase."""
        if self.map.flat:
            return _rounded(self.columns)
        down, right = self.map.reach
        return _rounded((self.rows + down) * self.map.pitch + right) + ALIGNED

    @property
    def tiles(self) -> int:
        """Tiles of a map; the last one is moved back to end with it."""
        height, width = self.map.result
        return -(-width // self.columns) if self.map.flat else -(-height // self.rows)

    @property
    def elements(self) -> int:
        """Elements of all planes, with what a vector reads behind them."""
        return self.map.phases * self.channels * self.plane + 2 * ALIGNED

    def place(self, tap: Array, channel: Array) -> Array:
        """Elements from the first plane to what a tap of a channel reads at the first output position."""
        return np.asarray((self.map.phase(tap) * self.channels + channel) * self.plane + self.map.shift(tap))


def plain_map(x: Tensor, y: Tensor, window: PlaneWindow) -> PlainMap:
    """The PlainMap of a convolution from ``x`` to ``y``, both plain."""
    (height, width), (rows, columns) = x.shape[2:], y.shape[2:]
    if window.kernel == (1, 1) == window.strides and not any(window.pads):
        return PlainMap(window, (1, height * width), (1, height * width), _rounded(height * width), flat=True)
    made = PlainMap(window, (height, width), (rows, columns), 0)
    return PlainMap(window, made.source, made.result, _pitch(window, width, columns, made.reach[1]))


def _pitch(window: PlaneWindow, width: int, columns: int, reach: int) -> int:
    """Elements from row to row: the zeros that pad a row on its left may pad the one before it on its right."""
    left, stride = window.pads[1], window.strides[1]
    data = min(columns + reach, (width - 1 + left) // stride + 1)
    least = max(columns, columns + reach - left // stride, data)
    half, whole = (-(-least // step) * step for step in (ALIGNED // 2, ALIGNED))
    return half if half <= 0.8 * whole else whole


def _rounded(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
