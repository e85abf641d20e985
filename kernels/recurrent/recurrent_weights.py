"""The weights of a recurrent layer in the order in which its tiles read them: numbers, or codes of few bits with scales.

Columns lie ``[block of units][gate][lane]``, units padded by zero weights to whole vectors, so that the gates of one unit meet in
one lane. Panels of a tile's columns follow each other. A panel of codes ends with the scales of its columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import KernelCall, Site, Temporary
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.gemm.product import Product, Terms, pack, prepared
from edgeopt.kernels.packed.hybrid_gemm import MOST_ROWS, Coded, few_rows, many_rows
from edgeopt.kernels.packed.weight_codes import pack_panels, panel_bytes, storage_of
from edgeopt.kernels.recurrent.recurrent import Cell, Direction, Recurrence
from edgeopt.kernels.walk.tiling import choose

WEIGHTS, SCALES = (1, 2), (8, 9)  # inputs of the operators


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights [gates * hidden, depth] of one direction: numbers, or codes stored as ``kind`` with a scale for each row."""

    array: Array
    kind: str = ""
    scale: Array | None = None

    def part(self, first: int, last: int) -> Matrix:
        """Some of its rows."""
        return Matrix(self.array[first:last], self.kind, None if self.scale is None else self.scale[first:last])


def matrix_of(site: Site, of: int, direction: Direction) -> Matrix:
    """The weights of the input (``of`` 0) or of the units (1). Raises Declined when they are no constants."""
    array = site.constant(WEIGHTS[of])
    own = array[direction.place]
    if not site.node.domain:
        return Matrix(own)
    kind = "float16" if array.dtype == np.float16 else storage_of(own)
    if site.optional(SCALES[of]) is None:
        return Matrix(own, kind)
    scale = np.broadcast_to(site.constant(SCALES[of]), (*array.shape[:2], 1))
    return Matrix(own, kind, scale[direction.place, :, 0])


def columns(weights: Array, cell: Cell, lanes: int) -> Array:
    """Weights or bias [gate * hidden, ...] as [..., block, gate, lane], padded by zeros."""
    matrix = weights.reshape(cell.gates, cell.hidden, -1)
    padded = np.zeros((cell.gates, cell.units, matrix.shape[2]), np.float32)
    padded[:, : cell.hidden] = matrix
    blocked = padded.reshape(cell.gates, -1, lanes, matrix.shape[2]).transpose(3, 1, 0, 2)
    return np.ascontiguousarray(blocked.reshape(matrix.shape[2], -1))


def input_product(site: Site, sizes: Recurrence, cell: Cell, weights: Matrix, bias: Array) -> tuple[KernelCall, Temporary]:
    """The product of all steps with the input's weights [gate * hidden, width], and where its result lies."""
    lanes, rows = site.target.lanes, sizes.steps * sizes.batch
    product = Product(1, rows, sizes.width, cell.gates * cell.units, True)
    place = Temporary("projection", product.rows * product.columns)
    matrix, added = columns(weights.array, cell, lanes), columns(bias, cell, lanes)[0]
    scale = None if weights.scale is None else columns(weights.scale, cell, lanes)[0]
    if weights.kind and rows <= MOST_ROWS:
        return few_rows(site.target, rows, Coded(matrix, weights.kind, scale, added), place), place
    tiling = choose(site.target, product.rows, product.columns // lanes, divided=False)
    made = prepared(site, product, Terms(matrix[None], added, None, Activation()), tiling.pixels, tiling.vectors)
    made = replace(made, operands={**made.operands, "y": place, "residual": place})
    return many_rows(site, made, scale) if weights.kind else made.call(), place


def recurrent_panels(cell: Cell, weights: Matrix, lanes: int) -> Array:
    """Weights [gate * hidden, hidden] in panels of the units of one tile."""
    matrix, width = columns(weights.array, cell, lanes), cell.vectors * cell.gates * lanes
    if not weights.kind:
        return pack(matrix[None], cell.vectors * cell.gates, lanes)
    scale = np.ones(cell.gates * cell.hidden, np.float32) if weights.scale is None else weights.scale
    steps, panels = columns(scale, cell, lanes)[0], []
    for first in range(0, matrix.shape[1], width):
        panels += [pack_panels(matrix[:, first : first + width], weights.kind), steps[first : first + width].view(np.uint8)]
    return np.concatenate(panels)


def panel_size(cell: Cell, kind: str, lanes: int) -> int:
    """The elements of a panel of numbers, the bytes of a panel of codes."""
    width = cell.vectors * cell.gates * lanes
    return panel_bytes(kind, cell.hidden, width) + 4 * width if kind else cell.hidden * width
