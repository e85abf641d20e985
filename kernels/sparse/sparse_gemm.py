"""SparseGemm on plain rows: 16 outputs by one input at a time; all ends of FusedGemm.

Few rows are too little to do for each block of weights: then several blocks are summed side by side.
"""

from __future__ import annotations

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site
from edgeopt.kernels.sparse.dense_site import dense_site
from edgeopt.kernels.sparse.entries import HEIGHT, pack
from edgeopt.kernels.sparse.geometry import mean_blocks
from edgeopt.kernels.sparse.plain_rows import inputs_at, row_tile, row_tiling, row_walk
from edgeopt.kernels.sparse.sparse_conv import RESIDUAL, ROLES, WIDTH, biases, room
from edgeopt.kernels.sparse.sparse_tile import float_function
from edgeopt.kernels.sparse.sparse_walk import walk_function


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a SparseGemm. Raises Declined for layouts and matrices it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseGemm. Raises Declined as ``select``."""
    site = dense_site(site)
    weight, bias = site.constant(1), site.constant(2) if site.optional(2) is not None else np.zeros(0, np.float32)
    if bias.size not in (0, weight.shape[1]):
        raise Declined("its bias is none for each output")
    blocks, vectors = mean_blocks(weight.T, WIDTH), HEIGHT // site.target.lanes
    tiling = row_tiling(site, weight, WIDTH, room(site.target, vectors), blocks, 1.0)
    walk = row_walk(site, weight, tiling, blocks, WIDTH)
    entries = pack(weight.T[:, None], walk.rows, WIDTH, inputs_at, tiling.together)
    added: Operand = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    stored = (entries.weights, entries.offsets, entries.starts, biases(bias.reshape(-1), walk.rows))
    operands = (Input(0), *(Packed(array) for array in stored), added, Output())
    tile = row_tile(site, tiling, weight, site.optional(RESIDUAL) is not None)
    run = float_function(site.target, tile, tiling.together, HEIGHT * WIDTH)
    return Prepared(walk_function(run, walk, entries, HEIGHT), dict(zip(ROLES, operands, strict=True)), walk.chunks)


KERNEL = Kernel("sparse_gemm", ("SparseGemm",), select)
