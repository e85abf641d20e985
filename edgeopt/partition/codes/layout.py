"""How a tensor of one call lies in front of a coder: channels, each of them a map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array

MOST_WHOLE = 1024  # elements of a tensor that is taken as one vector


@dataclass(frozen=True)
class Layout:
    """``axis`` of ``shape`` (whose first is 1) holds the channels; None: every element is a channel of its own."""

    shape: tuple[int, ...]
    axis: int | None

    @property
    def channels(self) -> int:
        """How many there are."""
        return int(np.prod(self.shape)) if self.axis is None else self.shape[self.axis]

    @property
    def maps(self) -> tuple[int, int]:
        """Rows and columns of a channel."""
        if self.axis is None:
            return 1, 1
        rest = [d for i, d in enumerate(self.shape[1:], 1) if i != self.axis]
        columns = rest[-1] if rest else 1
        return int(np.prod(rest[:-1], dtype=np.int64)), columns

    def opened(self, array: Array) -> Array:
        """[samples, channels, rows, columns] of ``array`` [samples, ...]."""
        if self.axis is not None:
            array = np.moveaxis(array, self.axis, 1)
        return array.reshape(len(array), self.channels, *self.maps)

    def closed(self, array: Array) -> Array:
        """What was opened in its own shape again, [samples, ...]."""
        if self.axis is None:
            return array.reshape(len(array), *self.shape[1:])
        rest = [d for i, d in enumerate(self.shape[1:], 1) if i != self.axis]
        return np.moveaxis(array.reshape(len(array), self.shape[self.axis], *rest), 1, self.axis)


def layouts(shape: tuple[int, ...]) -> list[Layout]:
    """The layouts to try for a tensor: channels second or last; small ones also as one vector."""
    axes: list[int | None] = list(dict.fromkeys(axis for axis in (1, len(shape) - 1) if 0 < axis < len(shape)))
    whole = int(np.prod(shape)) <= MOST_WHOLE and len(shape) > 2
    return [Layout(shape, axis) for axis in [*axes, *([None] if whole else [])]]
