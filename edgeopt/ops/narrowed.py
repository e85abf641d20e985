"""A module with fewer hidden channels: which of them are kept, and what those that read them need then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array


@dataclass(frozen=True, eq=False)
class Narrowed:
    """``kept`` of the ``hidden`` channels that the layers ``makers`` compute, each from the one before it; by name.

    ``readers`` holds the weight [outputs, kept, ...] and the bias of the layers that read them; None for one that keeps its own.
    """

    kept: Array
    hidden: int
    makers: tuple[str, ...]
    readers: Mapping[str, tuple[Array, Array | None]]

    def constants(self, name: str) -> dict[tuple[str, int], Array]:
        """What the readers would need to compute the same from all channels, by name and index of the input."""
        found = {}
        for reader, (weight, bias) in self.readers.items():
            full = np.zeros((len(weight), self.hidden, *weight.shape[2:]), np.float32)
            full[:, self.kept] = weight
            found[reader, 1] = full
            if bias is not None:
                found[reader, 2] = bias
        return found

    @property
    def bytes(self) -> int:
        """Of the weights of the readers."""
        return sum(weight.nbytes for weight, _ in self.readers.values())
