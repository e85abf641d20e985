"""The columns of a weight by sub-space: a codeword stands for the channels of a sub-space at one kernel position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array


@dataclass(frozen=True)
class Spaces:
    """``channels`` of a group in sub-spaces of ``size``, at ``taps`` kernel positions. The last sub-space is filled up.

    Columns come as [channel][tap] and are ordered [sub-space][tap][component] here.
    """

    channels: int
    taps: int
    size: int

    @property
    def count(self) -> int:
        """Sub-spaces."""
        return -(-self.channels // self.size)

    @property
    def width(self) -> int:
        """Columns of a sub-space."""
        return self.taps * self.size

    def rows(self, array: Array) -> Array:
        """Rows [n, channels * taps] in the order of sub-spaces, zeros at components that do not exist."""
        full = np.zeros((len(array), self.count * self.size, self.taps), array.dtype)
        full[:, : self.channels] = array.reshape(len(array), self.channels, self.taps)
        return full.reshape(len(array), self.count, self.size, self.taps).transpose(0, 1, 3, 2).reshape(len(array), -1)

    def moments(self, array: Array) -> Array:
        """Moments [K, K] in the order of sub-spaces; components that do not exist are felt a little, and stay near zero."""
        made = self.rows(self.rows(array).T)
        absent = ~self.rows(np.ones((1, self.channels * self.taps), bool))[0]
        made[absent, absent] = np.trace(array) / len(array)
        return np.asarray(made)

    def part(self, space: int) -> slice:
        """The columns of a sub-space."""
        return slice(space * self.width, (space + 1) * self.width)

    def block(self, tap: int) -> slice:
        """The columns of a kernel position within a sub-space."""
        return slice(tap * self.size, (tap + 1) * self.size)
