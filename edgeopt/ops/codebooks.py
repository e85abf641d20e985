"""A weight as codes and codebooks, as LookupConv and LookupGemm take it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np

from edgeopt.ir import Array


@dataclass(frozen=True, eq=False)
class LookupWeight:
    """``codes`` [A, M, S, kernel...] (S sub-spaces of a group), ``books`` int8 [A, groups * S, K, C'], ``scale`` [M].

    ``channels`` of a group and ``shift`` are as the operators define them; ``bias`` is the one that goes with the codes, if any.
    ``dense``: the weight lies as [K, N], that of a matrix product.
    """

    codes: Array
    books: Array
    scale: Array
    channels: int
    shift: int
    bias: Array | None = None
    dense: bool = False

    @property
    def array(self) -> Array:
        """The float32 weight that this stands for, in the layout of the node."""
        count, outputs, spaces, *taps = self.codes.shape
        groups = self.books.shape[1] // spaces
        books = self.books.reshape(count, groups, spaces, *self.books.shape[2:]).astype(np.int64)
        apart = self.codes.reshape(count, groups, outputs // groups, spaces, -1).transpose(0, 1, 3, 2, 4).astype(np.int64)
        a, g, s = (index[..., None, None] for index in np.ogrid[:count, :groups, :spaces])
        total = books[a, g, s, apart].sum(axis=0)  # [group, space, output, tap, component]
        whole = total.transpose(0, 2, 1, 4, 3).reshape(outputs, -1, *taps)[:, : self.channels]
        made = (whole * self.scale.reshape(-1, *[1] * (whole.ndim - 1))).astype(np.float32)
        return np.ascontiguousarray(made.T) if self.dense else made

    @property
    def stored(self) -> int:
        """Bytes of codes, codebooks and scales."""
        bits = max(1, ceil(log2(self.books.shape[2])))
        return -(-self.codes.size * bits // 8) + self.books.size + 4 * self.scale.size
