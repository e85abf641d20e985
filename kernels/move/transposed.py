"""Copies of boxes whose source and target run along different axes: square tiles are transposed in registers.

    y[.., j, i] = x[.., i, j]

What the loops of ``copy`` do element by element, for elements of 8, 16, 32 and 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from edgeopt.kernels.call import KernelCall, Operand
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.lane_transpose import LANE, Tile, emit_tile, whole_rows
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.walk.strided import locate, merge, quotient, remainder
from edgeopt.target import Target

Shape = Sequence[int]
WIDE = 32  # bits from which element by element is as fast, by measurement, unless the target runs on in several axes
LEAST = 4  # rows and columns from which a tile pays


@dataclass(frozen=True)
class Walk:
    """Tiles over a box: extents of the axis of rows and of columns, what a tile takes of them, and their element strides.

    ``down`` ends in the strides of source and target, ``across`` in that of the target; the source's is 1.
    """

    tile: Tile
    down: tuple[int, int, int, int]
    across: tuple[int, int, int]


def transposed_call(
    target: Target, bits: int, operands: tuple[Operand, Operand], shape: Shape, steps: tuple[Shape, Shape]
) -> KernelCall | None:
    """The call that copies a box of ``shape`` by ``steps`` (element strides in source and target), or None where no tile fits."""
    extents, (a, b) = merge(shape, *steps)
    if 1 not in a or 1 not in b or a.index(1) == b.index(1) or len(extents) > 6:
        return None
    walk, used = _walk(target, bits, extents, a, b)
    if min(len(walk.tile.rows), walk.tile.width) < LEAST or (bits >= WIDE and len(used) == 2):
        return None
    others = [k for k in range(len(extents)) if k not in used]
    blank = [0] * (4 - len(others))
    outer = [*(1 for _ in blank), *(extents[k] for k in others)]
    strides = [*blank, *(a[k] for k in others), *blank, *(b[k] for k in others)]
    chunks = -(-walk.down[0] // walk.down[1])
    for extent in outer:
        chunks *= extent
    return KernelCall(_function(target, walk), operands, (*outer[1:], *strides), chunks)


def _walk(target: Target, bits: int, extents: Shape, a: Shape, b: Shape) -> tuple[Walk, set[int]]:
    """The tile and the axes it covers. Rows go on into the next axis of the target where the innermost is short."""
    source, inner, most = a.index(1), b.index(1), whole_rows(target, bits)
    down, rows = inner, [k * a[inner] for k in range(_power(min(extents[inner], most)))]
    further = b.index(extents[inner]) if extents[inner] in b else source
    if len(rows) == extents[inner] < most and further != source:
        several = _power(min(extents[further], most // len(rows)))
        down, rows = further, [k * a[further] + row for k in range(several) for row in rows]
    lane = LANE // bits
    square = bits == 32 and len(rows) == most
    width = _power(min(extents[source], most if len(rows) <= lane or square else lane))
    tile = Tile(bits, tuple(rows), width, tuple(k * b[source] for k in range(width)))
    unit = len(rows) if down == inner else len(rows) // extents[inner]
    walk = Walk(tile, (extents[down], unit, a[down], b[down]), (extents[source], width, b[source]))
    return walk, {source, inner, down}


def _power(count: int) -> int:
    return 1 << count.bit_length() - 1


@cache
def _function(target: Target, walk: Walk) -> Callable[..., None]:
    tile = tile_function(target, walk.tile)
    extent, unit, xd, yd = walk.down
    columns, width, ya = walk.across
    tiles, steps = -(-extent // unit), -(-columns // width)
    last, right = extent - unit, columns - width  # tiles that reach over the end start earlier, and write some elements twice

    def transpose(
        x: Any, y: Any, begin: Any, end: Any, d1: Any, d2: Any, d3: Any,
        x0: Any, x1: Any, x2: Any, x3: Any, y0: Any, y1: Any, y2: Any, y3: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            box, first = quotient(chunk, tiles), remainder(chunk, tiles) * unit
            first = first if first < last else last
            source = offset(x, locate(box, d1, d2, d3, x0, x1, x2, x3) + first * xd)
            target = offset(y, locate(box, d1, d2, d3, y0, y1, y2, y3) + first * yd)
            for step in range(steps):
                column = step * width if step * width < right else right
                tile(offset(source, column), offset(target, column * ya))

    return transpose


@cache
def tile_function(target: Target, tile: Tile) -> Any:
    """The tile as a function of two pointers."""
    return vector_function(target, 2, lambda e, x, y: emit_tile(e, x, y, tile))
