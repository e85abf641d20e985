"""SparseGemm on plain rows: 16 outputs by one input at a time; all ends of FusedGemm.

Few rows are too little to do for each block of weights: then several blocks are summed side by side.
"""

from __future__ import annotations

from edgeopt.kernels.call import Kernel, KernelCall, Prepared, Site
from edgeopt.kernels.sparse.dense_site import dense_site
from edgeopt.kernels.sparse.entries import HEIGHT, pack
from edgeopt.kernels.sparse.geometry import mean_blocks
from edgeopt.kernels.sparse.plain_rows import inputs_at, row_bias, row_operands, row_tile, row_tiling, row_walk
from edgeopt.kernels.sparse.sparse_conv import WIDTH, room
from edgeopt.kernels.sparse.sparse_tile import float_function
from edgeopt.kernels.sparse.sparse_walk import walk_function


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a SparseGemm. Raises Declined for layouts and matrices it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseGemm. Raises Declined as ``select``."""
    site = dense_site(site)
    weight = site.constant(1)
    bias = row_bias(site, weight)
    blocks, vectors = mean_blocks(weight.T, WIDTH), HEIGHT // site.target.lanes
    tiling = row_tiling(site, weight, WIDTH, room(site.target, vectors), blocks, 1.0)
    walk = row_walk(site, weight, tiling, blocks, WIDTH)
    entries = pack(weight.T[:, None], walk.rows, WIDTH, inputs_at, tiling.together)
    run = float_function(site.target, row_tile(site, tiling, weight), tiling.together, HEIGHT * WIDTH)
    return Prepared(walk_function(run, walk, entries, HEIGHT), row_operands(site, entries, bias, walk.rows), walk.chunks)


KERNEL = Kernel("sparse_gemm", ("SparseGemm",), select)
