"""Constants stored by their nonzero blocks: a weight as a matrix in rows of blocks (BSR; CSR where a block is one element).

The matrix of a weight [outputs, inputs, kernel...] has a row for each output; its columns are the taps of the kernel, each with
all its inputs. A block is some outputs by some inputs of one tap. Where outputs or inputs are no whole number of blocks, the
matrix is filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from edgeopt.ir.types import Array

Block = tuple[int, int]  # outputs, inputs


@dataclass(frozen=True, eq=False)
class BlockRows:
    """``data`` [blocks, rows, columns], the column of each block in ``indices`` (counted in blocks), ascending in each row.

    Row r of blocks is those from ``indptr[r]`` up to ``indptr[r + 1]``. No row is empty: one of zeros keeps a block.
    """

    data: Array
    indices: Array
    indptr: Array


def encode(weight: Array, block: Block) -> BlockRows:
    """The blocks of ``weight`` [outputs, inputs, kernel...] that are not all zero, and the first of each row that has none."""
    cells = _cells(weight, block)
    used = np.asarray(cells.any(axis=(2, 3)))
    used[:, 0] |= ~used.any(axis=1)
    rows, columns = np.nonzero(used)
    indptr = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    return BlockRows(cells[rows, columns], columns.astype(np.int32), indptr.astype(np.int32))


def decode(stored: BlockRows, shape: Sequence[int]) -> Array:
    """The weight of ``shape`` that ``stored`` holds the blocks of."""
    (outputs, inputs), taps, (height, width) = shape[:2], prod(shape[2:]), stored.data.shape[1:]
    rows, columns = stored.indptr.size - 1, -(-inputs // width)
    cells = np.zeros((rows, taps * columns, height, width), stored.data.dtype)
    cells[np.repeat(np.arange(rows), np.diff(stored.indptr)), stored.indices] = stored.data
    matrix = cells.reshape(rows, taps, columns, height, width).transpose(0, 3, 1, 2, 4).reshape(rows * height, taps, -1)
    return matrix[:outputs, :, :inputs].transpose(0, 2, 1).reshape(shape)


def density(weight: Array, block: Block) -> float:
    """The share of the blocks of ``weight`` that are not all zero."""
    return float(_cells(weight, block).any(axis=(2, 3)).mean())


def _cells(weight: Array, block: Block) -> Array:
    """``weight`` as [rows of blocks, columns of blocks, rows, columns]."""
    (outputs, inputs), taps, (height, width) = weight.shape[:2], prod(weight.shape[2:]), block
    rows, columns = -(-outputs // height), -(-inputs // width)
    full = np.zeros((rows * height, taps, columns * width), weight.dtype)
    full[:outputs, :, :inputs] = weight.reshape(outputs, inputs, taps).transpose(0, 2, 1)
    order = full.reshape(rows, height, taps, columns, width).transpose(0, 2, 3, 1, 4)
    return order.reshape(rows, taps * columns, height, width)
