"""Images as they were before they became numbers for a network: bytes, and JPEG of these (by Pillow, the extra ``jpeg``)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.partition.codes.layout import Layout

INSTALL = 'pip install "edgeopt[jpeg]"'
NEAR = 0.02  # of a step, by which numbers may miss a grid of bytes


@dataclass(frozen=True, eq=False)
class Grid:
    """A byte b of channel c stands for ``b * step[c] + offset[c]``, float32 each."""

    layout: Layout
    step: Array
    offset: Array

    def bytes_of(self, array: Array) -> Array:
        """uint8 [samples, channels, rows, columns], the nearest byte of each number."""
        x = (self.layout.opened(np.asarray(array, np.float32)) - self._wide(self.offset)) / self._wide(self.step)
        return np.asarray(np.clip(np.rint(np.nan_to_num(x)), 0, 255), np.uint8)

    def numbers_of(self, found: Array) -> Array:
        """float32 [samples, ...]."""
        x = found.astype(np.float32) * self._wide(self.step) + self._wide(self.offset)
        return np.ascontiguousarray(self.layout.closed(x), np.float32)

    def _wide(self, numbers: Array) -> Array:
        return np.asarray(numbers)[:, None, None]


def grid_of(layout: Layout, values: Array) -> Grid | None:
    """The grid of at most 256 equal steps in each channel that ``values`` [samples, ...] lie on; None where they do not."""
    found = [_line(channel) for channel in np.moveaxis(layout.opened(values), 1, 0)]
    lines = [line for line in found if line is not None]
    if len(lines) < len(found):
        return None
    step, offset = np.array(lines, np.float32).T
    return Grid(layout, np.ascontiguousarray(step), np.ascontiguousarray(offset))


def _line(numbers: Array) -> tuple[float, float] | None:
    """Step and offset of a grid; what is missing of 256 values is left free on both sides alike."""
    known = np.unique(numbers.astype(np.float64))
    if len(known) < 2:
        return 1.0, float(known[0])
    gaps, width = np.diff(known), float(known[-1] - known[0])
    gaps = gaps[gaps > 0.1 * np.median(gaps)]  # float32 splits one value into neighbours
    step = width / max(1, round(width / float(np.median(gaps[gaps < 1.5 * gaps.min()]))))
    places = (known - known[0]) / step
    count = round(float(places[-1]))
    if count > 255 or np.abs(places - np.rint(places)).max() > NEAR:
        return None
    return step, float(known[0]) - step * ((255 - count) // 2)


@dataclass(frozen=True, eq=False)
class Raw:
    """One byte for each number: exact for inputs that lie on the grid."""

    grid: Grid
    name: str = "bytes"

    def encode(self, array: Array) -> bytes:
        """The tensor of one call."""
        return self.grid.bytes_of(array).tobytes()

    def decode(self, data: bytes | memoryview) -> Array | None:
        """The tensor of one call; None for another number of bytes."""
        shape = (1, self.grid.layout.channels, *self.grid.layout.maps)
        if len(data) != int(np.prod(shape)):
            return None
        return self.grid.numbers_of(np.frombuffer(data, np.uint8).reshape(shape))

    def round_trip(self, array: Array) -> Array:
        """What arrives of ``array`` [samples, ...]."""
        return self.grid.numbers_of(self.grid.bytes_of(array))

    def sizes(self, array: Array) -> Sequence[int]:
        """The bytes of each sample."""
        return [self.most] * len(array)

    @property
    def most(self) -> int:
        """The most bytes of a tensor."""
        return int(np.prod(self.grid.layout.shape))


@dataclass(frozen=True, eq=False)
class Jpeg:
    """A picture in grey or colour. Raises EdgeoptError where Pillow is not installed."""

    grid: Grid
    quality: int

    def __post_init__(self) -> None:
        _pillow()

    @property
    def name(self) -> str:
        """The quality is part of it."""
        return f"jpeg-{self.quality}"

    def encode(self, array: Array) -> bytes:
        """The tensor of one call."""
        channels = self.grid.bytes_of(array)[0]
        stream, image = io.BytesIO(), _pillow()
        image.fromarray(np.ascontiguousarray(channels.transpose(1, 2, 0)) if len(channels) == 3 else channels[0]).save(
            stream, "JPEG", quality=self.quality
        )
        return stream.getvalue()

    def decode(self, data: bytes | memoryview) -> Array | None:
        """The tensor of one call; None for what is no JPEG of this size and depth, which is seen before it is unpacked."""
        image, (rows, columns) = _pillow(), self.grid.layout.maps
        try:
            with image.open(io.BytesIO(bytes(data)), formats=("JPEG",)) as found:
                if found.size != (columns, rows) or found.mode != ("RGB" if self.grid.layout.channels == 3 else "L"):
                    return None
                pixels = np.asarray(found)
        except Exception:  # what a decoder raises for damage is written nowhere
            return None
        channels = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]
        return self.grid.numbers_of(channels[None])

    def round_trip(self, array: Array) -> Array:
        """What arrives of ``array`` [samples, ...]."""
        made = [self.decode(self.encode(sample[None])) for sample in array]
        return np.concatenate([m for m in made if m is not None])

    def sizes(self, array: Array) -> Sequence[int]:
        """The bytes of each sample."""
        return [len(self.encode(sample[None])) for sample in array]

    @property
    def most(self) -> int:
        """The most bytes of a tensor: what noise takes at the best quality, and headers."""
        return 2 * int(np.prod(self.grid.layout.shape)) + 4096

    def at(self, quality: int) -> Jpeg:
        """The same at another quality."""
        return replace(self, quality=quality)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise EdgeoptError(f"JPEG needs Pillow: {INSTALL}") from error
    return Image


def jpeg_possible() -> bool:
    """Whether Pillow is there."""
    with suppress(EdgeoptError):
        return _pillow() is not None
    return False


def picture_layout(shape: tuple[int, ...]) -> Layout | None:
    """Where the channels are of an input that looks like a picture in grey or colour."""
    axis = next((a for a in (1, 3) if len(shape) == 4 and shape[a] in (1, 3)), None)
    return None if axis is None else Layout(shape, axis)
