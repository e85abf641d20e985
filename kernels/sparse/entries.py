"""Sparse weights as kernels read them: for each row of blocks its blocks, one after the other, and where each reads x.

Offsets of a row of blocks are preceded by how many rounds of ``together`` blocks it has. What fills up the last round is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array

HEIGHT = 16  # outputs of a block: those of a channel block on every target, or of several


@dataclass(frozen=True, eq=False)
class Entries:
    """``weights`` [blocks, HEIGHT, inputs]; ``offsets`` (uint32) in elements of x; ``starts`` of each row in ``weights``.

    The offsets of row r begin at ``starts[r] + r``.
    """

    weights: Array
    offsets: Array
    starts: Array


Place = Callable[[Array, Array], Array]  # offsets in x of taps and first inputs


def pack(matrix: Array, rows: Sequence[int], width: int, place: Place, together: int) -> Entries:
    """The blocks of HEIGHT outputs from each of ``rows`` by ``width`` inputs of ``matrix`` [outputs, taps, inputs].

    Outputs beyond the last are zero. The last block of inputs ends with them, where there are enough of them.
    """
    firsts, repeated = _columns(matrix.shape[2], width)
    picks = firsts[:, None] + np.arange(width)
    weights, offsets, starts = [], [], [0]
    for row in rows:
        cells = matrix[row : row + HEIGHT][:, :, picks]
        cells[:, :, -1, :repeated] = 0
        taps, columns = np.nonzero(cells.any(axis=(0, 3)))
        found = np.argsort(place(taps, firsts[columns]), kind="stable")
        count = -(-max(1, found.size) // together) * together
        block = np.zeros((count, HEIGHT, width), matrix.dtype)
        block[: found.size, : cells.shape[0]] = cells[:, taps[found], columns[found]].transpose(1, 0, 2)
        line = np.zeros(count + 1, np.uint32)
        line[0], line[1 : found.size + 1] = count // together, place(taps, firsts[columns])[found]
        weights.append(block)
        offsets.append(line)
        starts.append(starts[-1] + count)
    return Entries(np.concatenate(weights), np.concatenate(offsets), np.array(starts, np.int32))


def _columns(inputs: int, width: int) -> tuple[Array, int]:
    """The first input of each block, and how many inputs of the last one belong to the block before it."""
    firsts = np.arange(0, inputs, width)
    repeated = -inputs % width
    firsts[-1] -= repeated
    return firsts, repeated
