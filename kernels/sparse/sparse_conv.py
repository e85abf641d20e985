"""SparseConv in the blocked layout: 16 outputs by one input at a time, strided, dilated, grouped; all ends of FusedConv.

Each block that is not zero is loaded once for all positions of a tile and multiplied by one input of each, in every lane. Blocks
lie as the layout does, so nothing is converted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site
from edgeopt.kernels.conv.conv_blocked import vector_offsets
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.sparse.dense_site import block_of, dense_site, halo
from edgeopt.kernels.sparse.entries import HEIGHT, pack
from edgeopt.kernels.sparse.geometry import Geometry, conv_geometry, conv_walk, mean_blocks
from edgeopt.kernels.sparse.sparse_tile import float_function
from edgeopt.kernels.sparse.sparse_tiling import SparseTiling, choose
from edgeopt.kernels.sparse.sparse_walk import walk_function
from edgeopt.kernels.walk.micro import Tile
from edgeopt.target import Target

WIDTH = 1  # inputs of a block
RESIDUAL = 3
ROLES = ("x", "weights", "offsets", "starts", "bias", "residual", "y")


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a SparseConv. Raises Declined for layouts it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseConv. Raises Declined as ``select``."""
    if block_of(site)[0] == 1:
        raise Declined("its blocks have a single output")
    site = dense_site(site)
    x, residual, weight = site.given(0), site.optional(RESIDUAL), site.constant(1)
    geometry = conv_geometry(site, weight, residual, WIDTH)
    vectors, blocks = HEIGHT // site.target.lanes, mean_blocks(weight, WIDTH)
    tiling = choose(geometry.size, vectors, room(site.target, vectors), blocks, 1.0, geometry.missing(site.target, 4))
    walk = conv_walk(site.target, geometry, tiling, blocks, WIDTH, 4 * x.elements)
    entries = pack(geometry.matrix(weight), walk.rows, WIDTH, geometry.place, tiling.together)
    tile = _tile(site, geometry, tiling)
    bias = biases(site.constant(2) if site.optional(2) is not None else np.zeros(0, np.float32), walk.rows)
    added: Operand = Input(RESIDUAL) if residual is not None else Output()
    operands = (Input(0), *(Packed(a) for a in (entries.weights, entries.offsets, entries.starts, bias)), added, Output())
    run = float_function(site.target, tile, tiling.together, HEIGHT * WIDTH)
    return Prepared(walk_function(run, walk, entries, HEIGHT), dict(zip(ROLES, operands, strict=True)), walk.chunks)


def room(target: Target, vectors: int) -> int:
    """Positions whose sums stay in registers beside a block of weights and one input."""
    return (target.vector_registers - vectors - 1) // vectors


def biases(bias: Array, rows: Sequence[int]) -> Array:
    """The bias of each row of blocks, with zeros where there is none."""
    made = np.zeros((len(rows), HEIGHT), np.float32)
    for line, row in zip(made, rows, strict=True):
        part = bias[row : row + HEIGHT]
        line[: part.size] = part
    return made


def _tile(site: Site, geometry: Geometry, tiling: SparseTiling) -> Tile:
    """One step of one input at all positions of a tile."""
    vectors, added = HEIGHT // site.target.lanes, site.optional(RESIDUAL) is not None
    return Tile(
        pixels=geometry.offsets(geometry.x, tiling, geometry.window.strides),
        places=geometry.offsets(geometry.y, tiling),
        vectors=vector_offsets(site.target, geometry.y, vectors),
        loops=(),
        steps=(0,),
        residual=geometry.offsets(geometry.r, tiling) if added else (),
        residual_vectors=vector_offsets(site.target, geometry.r, vectors) if added else (),
        activation=activation_of(site.node),
    )


KERNEL = Kernel("sparse_conv", ("SparseConv",), select, layout="blocked", hot=True, halo=halo)
