"""A tensor as a short message: rotated or projected, rounded to one step, coded by tables that both ends have.

x -> forward (x - mean) -> symbols of step -> bits -> symbols -> means of what they stood for -> backward + mean -> x
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from edgeopt.coding.contexts import LOG, Tables
from edgeopt.ir import Array
from edgeopt.partition.codes.layout import Layout

ROUNDING = 1e-6  # of the largest element of a mean, below which what components do not tell of it is nothing


class BoundaryCode(Protocol):
    """How a float32 tensor of one call travels."""

    @property
    def name(self) -> str:
        """What a plan calls it."""

    @property
    def most(self) -> int:
        """The most bytes of a tensor."""

    def encode(self, array: Array) -> bytes:
        """The tensor of one call."""

    def decode(self, data: bytes | memoryview) -> Array | None:
        """The tensor of one call; None for data that is damaged."""

    def round_trip(self, array: Array) -> Array:
        """What arrives of ``array`` [samples, ...]."""

    def sizes(self, array: Array) -> Sequence[int]:
        """The bytes of each sample."""


@dataclass(frozen=True, eq=False)
class Transform:
    """``forward`` float32 [components, channels] and ``backward`` [channels, components], None for as it is; ``mean`` [channels].

    ``name`` says what it is.
    """

    name: str
    layout: Layout
    mean: Array
    forward: Array | None = None
    backward: Array | None = None

    def apply(self, array: Array) -> Array:
        """Components [samples, components, rows, columns] of ``array`` [samples, ...]."""
        x = self.layout.opened(np.asarray(array, np.float32)) - self.mean[:, None, None]
        if self.forward is None:
            return np.asarray(x)
        flat = x.reshape(*x.shape[:2], -1)
        return np.asarray((self.forward @ flat).reshape(len(x), -1, *x.shape[2:]))

    def undo(self, components: Array) -> Array:
        """The array, as far as the components tell it."""
        x = components
        if self.backward is not None:
            x = (self.backward @ components.reshape(*components.shape[:2], -1)).reshape(len(x), -1, *components.shape[2:])
        return np.ascontiguousarray(self.layout.closed(x + self.mean[:, None, None]), np.float32)

    @property
    def components(self) -> int:
        """How many there are."""
        return self.layout.channels if self.forward is None else len(self.forward)

    @cached_property
    def matrix(self) -> Array:
        """float32 [channels, components or one more]: the tensor is this times what ``opened`` gives."""
        if self.forward is None or self.backward is None:
            return np.eye(self.layout.channels, dtype=np.float32)
        left = self.mean - self.backward @ (self.forward @ self.mean)
        whole = np.abs(left).max() <= ROUNDING * np.abs(self.mean).max()
        return self.backward if whole else np.column_stack([self.backward, left]).astype(np.float32)

    @property
    def closed(self) -> Layout:
        """How what ``opened`` gives lies where the tensor lay: in place of its channels, or as one row."""
        if self.layout.axis is None:
            return Layout((1, self.matrix.shape[1]), 1)
        shape = (self.matrix.shape[1] if i == self.layout.axis else d for i, d in enumerate(self.layout.shape))
        return Layout(tuple(shape), self.layout.axis)

    def opened(self, components: Array) -> Array:
        """Components with those of the mean where the tensor lay, and ones besides for what they do not tell of the mean.

        No constant is to be added to what ``matrix`` makes of them, so that pads of zeros stay zeros.
        """
        shift = self.mean if self.forward is None else self.forward @ self.mean
        ones = np.ones((len(components), self.matrix.shape[1] - self.components, *components.shape[2:]), np.float32)
        found = np.concatenate([components + shift[:, None, None], ones], axis=1)
        return np.ascontiguousarray(self.closed.closed(found), np.float32)


@dataclass(frozen=True, eq=False)
class Code:
    """``transform``, then multiples of ``step``; ``low`` int64 [groups] is the multiple that symbol 0 of a group stands for.

    ``values`` float32 [groups, symbols] are the numbers that symbols become again, ``tables`` how they are coded. Where it is
    ``folded``, what arrives are components (``Transform.opened``): the layer that reads them undoes the transform.
    """

    transform: Transform
    step_name: str
    step: float
    low: Array
    values: Array
    tables: Tables
    folded: bool = False

    @property
    def name(self) -> str:
        """The transform and the step."""
        return f"{self.transform.name} {self.step_name}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Components, rows and columns of a tensor's symbols."""
        return self.transform.components, *self.transform.layout.maps

    def symbols(self, array: Array) -> Array:
        """uint8 [samples, components, rows, columns]; what lies outside of the range that was seen becomes its end."""
        low, counts = self._of_components()
        return symbols_of(self.transform.apply(array), self.step, low, counts)

    def numbers(self, symbols: Array) -> Array:
        """float32 [samples, ...] of symbols."""
        found = self.values[self.tables.groups[:, None, None], symbols]
        return self.transform.opened(found) if self.folded else self.transform.undo(found)

    def encode(self, array: Array) -> bytes:
        """The tensor of one call."""
        return self.tables.encode(self.symbols(array)[0])

    def decode(self, data: bytes | memoryview) -> Array | None:
        """The tensor of one call, float32; None for data that is damaged."""
        symbols = self.tables.decode(data, self.shape)
        return None if symbols is None else self.numbers(symbols[None])

    def round_trip(self, array: Array) -> Array:
        """What arrives of ``array`` [samples, ...]."""
        return self.numbers(self.symbols(array))

    @property
    def most(self) -> int:
        """The most bytes of a tensor."""
        return -(-LOG * (int(np.prod(self.shape)) + 1) // 8)

    def sizes(self, array: Array) -> Sequence[int]:
        """The bytes of each sample."""
        return [len(self.tables.encode(sample)) for sample in self.symbols(array)]

    def _of_components(self) -> tuple[Array, Array]:
        counts = np.count_nonzero(self.tables.frequencies[:, 0], axis=1)
        return self.low[self.tables.groups], counts[self.tables.groups]


def symbols_of(components: Array, step: float, low: Array, counts: Array) -> Array:
    """Multiples of ``step``, counted from ``low`` [components], at most ``counts`` [components] of them; NaN is the lowest."""
    with np.errstate(invalid="ignore"):
        multiples = np.rint(components / np.float32(step)) - low[:, None, None]
        inside = np.minimum(np.maximum(np.nan_to_num(multiples), 0), counts[:, None, None] - 1)
    return np.asarray(inside, np.uint8)
