"""The weights of a recurrent layer in the order in which its tiles read them: numbers, or codes of few bits with scales.

Columns lie ``[block of units][gate][lane]``, units padded by zero weights to whole vectors, so that the gates of one unit meet in
one lane. Panels of a tile's columns follow each other. A panel of codes ends with the scales of its columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Site
from edgeopt.kernels.gemm.product import pack
from edgeopt.kernels.integer.quant_operands import LIMITS
from edgeopt.kernels.packed.weight_codes import pack_panels, panel_bytes, storage_of
from edgeopt.kernels.recurrent.recurrent import Cell, Direction

WEIGHTS, SCALES, GRIDS = (1, 2), (8, 9), ((10, 11), (12, 13))  # inputs of the operators
DOTS = "dots"  # how weights of integer products are stored, beside the kinds of ``packed.weight_codes``


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights [gates * hidden, depth] of one direction: numbers, or codes stored as ``kind`` with a scale for each row.

    ``grid`` is that of what integer weights are multiplied with, ``bias`` what is added to their products.
    """

    array: Array
    kind: str = ""
    scale: Array | None = None
    bias: Array | None = None
    grid: CodeGrid | None = None

    def part(self, first: int, last: int) -> Matrix:
        """Some of its rows."""
        scale, bias = (None if v is None else v[first:last] for v in (self.scale, self.bias))
        return Matrix(self.array[first:last], self.kind, scale, bias, self.grid)


@dataclass(frozen=True, eq=False)
class CodeGrid:
    """Scale and zero point, scalars, of codes of type ``dtype``."""

    scale: Array
    zero: Array
    dtype: str


def matrix_of(site: Site, of: int, direction: Direction) -> Matrix:
    """The weights of the input (``of`` 0) or of the units (1). Raises Declined when they are no constants."""
    array = site.constant(WEIGHTS[of])
    own = array[direction.place]
    if not site.node.domain:
        return Matrix(own)
    if site.given(0).type.dtype in LIMITS:
        return Matrix(own, DOTS, _rows(site, SCALES[of], direction), _bias(site, own, direction), _grid(site, of))
    kind = "float16" if array.dtype == np.float16 else storage_of(own)
    return Matrix(own, kind, None if site.optional(SCALES[of]) is None else _rows(site, SCALES[of], direction))


def _rows(site: Site, scales: int, direction: Direction) -> Array:
    """A scale for each row of one direction."""
    w = site.given(WEIGHTS[0])
    made: Array = np.broadcast_to(site.constant(scales), (*w.shape[:2], 1))[direction.place, :, 0]
    return made


def _bias(site: Site, weights: Array, direction: Direction) -> Array:
    """The bias of the units."""
    rows = len(weights)
    return site.constant(3)[direction.place, rows:] if site.optional(3) is not None else np.zeros(rows, np.float32)


def _grid(site: Site, of: int) -> CodeGrid:
    """The grid of what the weights are multiplied with. Raises Declined when it is no constant."""
    scale, zero = (site.constant(i).reshape(()) for i in GRIDS[of])
    return CodeGrid(scale, zero, zero.dtype.name)


def columns(weights: Array, cell: Cell, lanes: int) -> Array:
    """Weights or bias [gate * hidden, ...] as float32 [..., block, gate, lane], padded by zeros."""
    return np.asarray(moved(weights, cell, lanes), np.float32)


def moved(weights: Array, cell: Cell, lanes: int) -> Array:
    """The same of elements of any type."""
    matrix = weights.reshape(cell.gates, cell.hidden, -1)
    padded = np.zeros((cell.gates, cell.units, matrix.shape[2]), weights.dtype)
    padded[:, : cell.hidden] = matrix
    blocked = padded.reshape(cell.gates, -1, lanes, matrix.shape[2]).transpose(3, 1, 0, 2)
    return np.ascontiguousarray(blocked.reshape(matrix.shape[2], -1))


def number_panels(weights: Array, cell: Cell, lanes: int) -> Array:
    """Numbers [gate * hidden, hidden] in panels of the units of one tile."""
    return pack(moved(weights, cell, lanes)[None], cell.vectors * cell.gates, lanes)


def recurrent_panels(cell: Cell, weights: Matrix, lanes: int) -> Array:
    """Weights [gate * hidden, hidden] in panels of the units of one tile."""
    if not weights.kind:
        return number_panels(np.asarray(weights.array, np.float32), cell, lanes)
    matrix, width = columns(weights.array, cell, lanes), cell.vectors * cell.gates * lanes
    scale = np.ones(cell.gates * cell.hidden, np.float32) if weights.scale is None else weights.scale
    steps, panels = columns(scale, cell, lanes)[0], []
    for first in range(0, matrix.shape[1], width):
        panels += [pack_panels(matrix[:, first : first + width], weights.kind), steps[first : first + width].view(np.uint8)]
    return np.concatenate(panels)


def dot_panel_bytes(hidden: int, width: int) -> int:
    """The bytes of a panel of integers: codes, then what the sums begin with, scales and biases."""
    return (-(-hidden // 4) * 4 + 12) * width


def panel_size(cell: Cell, kind: str, lanes: int) -> int:
    """The elements of a panel of numbers, the bytes of a panel of codes."""
    width = cell.vectors * cell.gates * lanes
    if kind == DOTS:
        return dot_panel_bytes(cell.hidden, width)
    return panel_bytes(kind, cell.hidden, width) + 4 * width if kind else cell.hidden * width
