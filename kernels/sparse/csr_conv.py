"""SparseConv of single nonzeros over plain maps: strided, dilated, grouped; all ends of FusedConv.

Each nonzero is multiplied with many neighbouring positions at once. See ``csr_planes`` for where they lie.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.sparse.csr_entries import pack
from edgeopt.kernels.sparse.csr_planes import ALIGNED, Planes, planes, planes_of
from edgeopt.kernels.sparse.csr_tile import CsrTile, csr_function
from edgeopt.kernels.sparse.dense_site import block_of, dense_site
from edgeopt.kernels.walk.plane_window import plane_window
from edgeopt.target import Target

MOST, WHOLE = 10, 14  # vectors of a tile, and of one that holds a whole map; chosen by hand: more leave the first cache
ENOUGH = 8  # sums that keep a processor busy
RESIDUAL = 3
SPAN = 8  # outputs of a chunk
ROLES = ("x", "weights", "offsets", "starts", "bias", "residual", "y")


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a SparseConv. Raises Declined for blocks, and for shapes it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseConv. Raises Declined as ``select``."""
    if block_of(site) != (1, 1):
        raise Declined("its blocks are no single elements")
    site = dense_site(site)
    x, y, weight, target = site.given(0), site.outputs[0], site.constant(1), site.target
    window = plane_window(site.node, weight.shape[2:])
    if x.layout.block or y.layout.block or 0 in y.shape:
        raise Declined("its operands do not lie plain")
    made = planes(x, y, window)
    line = target.lanes if target.lanes >= ALIGNED else 1  # shorter vectors lie within a line often enough as they are
    turns = pack(weight[:1], 1, made, line, 1).turns
    vectors, rows, columns = _extent(target, made, turns[-1])
    together = next(t for t in (1, 2, 4) if t == 4 or t * vectors >= ENOUGH or 2 * t * vectors > WHOLE)
    entries = pack(weight, site.node.integer("group", 1), made, line, together)
    tile = CsrTile(
        vectors, rows, columns, made.pitch, turns, together, site.optional(RESIDUAL) is not None, activation_of(site.node)
    )
    bias = site.constant(2) if site.optional(2) is not None else np.zeros(weight.shape[0], np.float32)
    copies, source = planes_of(site, made)
    added: Operand = Input(RESIDUAL) if tile.added else Output()
    stored = (entries.values, entries.offsets, entries.starts, bias)
    operands = (source, *(Packed(array) for array in stored), added, Output())
    function, chunks = _function(target, tile, made, x.shape[0], weight.shape[0])
    return Prepared(function, dict(zip(ROLES, operands, strict=True)), chunks, before=copies)


def _extent(target: Target, made: Planes, last: int) -> tuple[int, int, int]:
    """Vectors of a tile, and the rows and columns of positions that they hold besides ``last`` lanes that are moved out."""
    lanes, room = target.lanes, target.vector_registers - 3
    whole = (made.rows - 1) * made.pitch + made.columns + last <= min(WHOLE, room) * lanes
    most = min(WHOLE if whole else MOST, room)
    if made.rows == 1:
        columns = min(made.columns, -(-_share(made.columns, most * lanes) // lanes) * lanes)  # tiles begin with lines
        return -(-columns // lanes), 1, columns
    rows = made.rows if whole else _share(made.rows, max(1, (most * lanes - last) // made.pitch))
    if (rows - 1) * made.pitch + made.columns + last > most * lanes:
        raise Declined(f"a row of {made.columns} positions does not fit registers")
    return -(-((rows - 1) * made.pitch + made.columns + last) // lanes), rows, made.columns


def _share(total: int, most: int) -> int:
    """The size of tiles of no more than ``most``, as equal as they can be."""
    return -(-total // -(-total // most))


def _function(target: Target, tile: CsrTile, made: Planes, images: int, outputs: int) -> tuple[Callable[..., None], int]:
    """The kernel ``(x, v, o, s, b, r, y, begin, end)``, and its chunks: some outputs of one tile of one image."""
    run, groups, image = csr_function(target, tile), len(tile.turns), made.image
    flat = made.rows == 1
    total, size = (made.columns, tile.columns) if flat else (made.rows, tile.rows)
    xs, ys, plane = (1, 1, made.columns) if flat else (made.pitch, made.columns, made.rows * made.columns)
    tiles, spans, final = -(-total // size), -(-outputs // SPAN), total - size

    def multiply(x: Any, v: Any, o: Any, s: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            number, rest = chunk // (tiles * spans), chunk % (tiles * spans)
            first = rest // spans * size
            if first > final:
                first = final
            output = rest % spans * SPAN
            here = offset(x, number * image + first * xs)
            for c in range(output, output + SPAN if output + SPAN < outputs else outputs):
                place = (number * outputs + c) * plane + first * ys
                run(here, offset(v, s[c]), offset(o, s[c] + c * groups), offset(b, c), offset(r, place), offset(y, place))

    return multiply, images * tiles * spans


KERNEL = Kernel("csr_conv", ("SparseConv",), select)
