"""LookupConv in the blocked layout: the tables of the map, or of a band of it, then tiles of results that select from them.

A table serves all taps and all outputs. Codes are packed ``[panel][k][vector]`` in nibbles, k in the order block of inputs,
kernel row, kernel column, codebook.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeopt.ir import Array, Node, TensorType
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Layout, Operand, Output, Packed, Site, Temporary, Tensor
from edgeopt.kernels.emit.emit_bytes import looks_up
from edgeopt.kernels.integer.quant_operands import RESIDUAL, require_bytes, require_result, x_zero
from edgeopt.kernels.integer.quant_walk import Walk, first_vector, is_flat, panel_of, vector_places, walk_function, walk_of
from edgeopt.kernels.integer.requantize import parameters
from edgeopt.kernels.lookup.bands import Bands, band_function, banded, bands_of
from edgeopt.kernels.lookup.codes import CodePanels, across_words, code_panels, code_vectors, expander
from edgeopt.kernels.lookup.codewords import CODES, WORD, Codewords, codewords, ending
from edgeopt.kernels.lookup.lookup_tile import FLUSH, LookupTile, tile_function
from edgeopt.kernels.lookup.lookup_tiling import choose
from edgeopt.kernels.lookup.map_tables import MapTables, blocked_tables, map_tables
from edgeopt.kernels.lookup.tables import table_bytes
from edgeopt.kernels.walk.micro import Loop
from edgeopt.kernels.walk.plane_window import Halo, PlaneWindow, halo_of, plane_window
from edgeopt.target import Target


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a LookupConv. Raises Declined for layouts, groups and codebooks that the tables do not serve."""
    x, y, target = site.given(0), site.outputs[0], site.target
    group = site.node.integer("group", 1)
    _require(site, x, y, group)
    window = plane_window(site.node, site.given(CODES).shape[3:])
    if any(window.halo) and x.layout.fill != x_zero(site.node):
        raise Declined("the border of its input does not hold its zero point")
    found = codewords(site, x.shape[1] // group)
    tables, made = _tables(x, found), map_tables(site, x, found)
    tile, walk = _tile(site, tables, window, found)
    panels = code_panels(target, _panels(target, found, walk, x.layout.block))
    firsts = [first_vector(walk, g) * target.lanes for g in range(walk.groups)]
    numbered = Packed(parameters(ending(site, y.shape[1], found.lookups)[1], firsts, walk.vectors * target.lanes))
    added = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    operands = (Packed(panels.stored), numbered, added, Output())
    walk = replace(walk, stored=panels.bytes, copied=True)
    bands = bands_of(target, walk, tables, window)
    if bands is not None:
        return _in_bands(x, bands, made, *banded(tile, walk, bands, tables.layout.block), panels, operands, target)
    memory = Temporary("tables", tables.elements, dtype="int8")
    function = walk_function(walk, tile_function(target, tile), expander(target, panels))
    chunks = x.shape[0] * walk.groups * walk.blocks
    return *blocked_tables(x, made, memory), KernelCall(function, (memory, *operands, panels.memory()), (), chunks)


def _in_bands(
    x: Tensor, bands: Bands, made: MapTables, tile: LookupTile, walk: Walk, panels: CodePanels, operands: tuple[Operand, ...],
    target: Target,
) -> tuple[KernelCall, ...]:  # fmt: skip
    """The calls with tables of bands, in the memory of a thread."""
    memory = Temporary("tables", made.blocks * walk.x.block, per_thread=True, dtype="int8")
    function = band_function(walk, bands, made, tile_function(target, tile), expander(target, panels))
    every = (*made.operands, *operands, memory, panels.memory())
    return *made.before, KernelCall(function, every, (), x.shape[0] * bands.count(walk))


def _require(site: Site, x: Tensor, y: Tensor, group: int) -> None:
    """Raises Declined for what the tables do not serve."""
    block, residual = x.layout.block, site.optional(RESIDUAL)
    require_bytes(x)
    require_result(y)
    if not looks_up(site.target):
        raise Declined("the target looks up no tables of bytes in registers")
    if not block or y.layout.block != block:
        raise Declined("its operands do not lie blocked, or its input is an image")
    if residual is not None and residual.layout.block != block:
        raise Declined("its residual does not lie blocked")
    if group > 1 and (x.shape[1] // group % block or y.shape[1] // group % block):
        raise Declined(f"{x.shape[1] // group} channels in a group are no whole blocks of {block}")


def _tables(x: Tensor, found: Codewords) -> Tensor:
    """The tables of every position, like a blocked map."""
    size = table_bytes(found, x.layout.block)
    shape = (x.shape[0], x.blocks * size, *x.shape[2:])
    return Tensor(TensorType("int8", shape), Layout(size, x.layout.halo))


def _tile(site: Site, tables: Tensor, window: PlaneWindow, found: Codewords) -> tuple[LookupTile, Walk]:
    y, residual, target, group = site.outputs[0], site.optional(RESIDUAL), site.target, site.node.integer("group", 1)
    size, blocks, flat = tables.layout.block, tables.blocks // group, is_flat(window, site.given(0), y, residual)
    extent = (1, y.shape[2] * y.shape[3]) if flat else (y.shape[2], y.shape[3])
    unit, vectors = y.layout.block // target.lanes, y.blocks * y.layout.block // target.lanes
    words = size // target.vector_bytes if across_words(target) else size // 16
    tiling = choose(target, extent[1], vectors // group, unit, blocks * window.kernel[0] * window.kernel[1] * words)
    tile = LookupTile(
        pixels=tuple(i * window.strides[1] * size for i in range(tiling.pixels)),
        places=tuple(i * y.layout.block for i in range(tiling.pixels)),
        vectors=vector_places(target, y, tiling.vectors),
        loops=(
            Loop(blocks, tables.plane * size),
            Loop(window.kernel[0], tables.row * window.dilations[0] * size),
            Loop(window.kernel[1], window.dilations[1] * size),
        ),
        steps=tuple(range(0, size, size // words)),
        end=ending(site, y.shape[1], found.lookups)[0],
        residual=tuple(i * residual.layout.block for i in range(tiling.pixels)) if residual is not None else (),
        residual_vectors=vector_places(target, residual, tiling.vectors) if residual is not None else (),
    )
    if not across_words(target) and tile.inner > FLUSH:
        raise Declined(f"a window {window.kernel[1]} wide is too large for sums of 16 bits")
    steps = tile.turns * tile.inner
    return tile, walk_of(target, (tables, y, residual or y), window, tiling, extent, group, steps)


def _panels(target: Target, found: Codewords, walk: Walk, block: int) -> Array:
    """Codes as [panel, bytes] of indices, in the order of the walk; those of words and outputs that do not exist are zero."""
    count, outputs, words, height, width = found.codes.shape
    each = block // WORD
    codes = np.zeros((count, outputs, -(-words // each) * each, height, width), np.uint8)
    codes[:, :, :words] = found.codes
    order = codes.reshape(count, outputs, -1, each, height, width).transpose(1, 2, 4, 5, 0, 3).reshape(outputs, -1, each)
    firsts = [first_vector(walk, group) * target.lanes for group in range(walk.groups)]
    return np.stack([code_vectors(target, panel_of(order, first, walk.vectors * target.lanes)) for first in firsts])


def halo(node: Node) -> Halo:
    """The border a convolution needs around its input; none where it declines."""
    return halo_of(node, CODES, 3)


KERNEL = Kernel("lookup_conv", ("LookupConv",), select, layout="blocked", hot=True, halo=halo, fill=x_zero)
