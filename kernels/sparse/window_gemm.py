"""SparseGemm of single weights on plain rows: each output picks its inputs from windows in registers; all ends of FusedGemm.

See ``window_entries`` for how weights lie.
"""

from __future__ import annotations

import numpy as np

from edgeopt.kernels.call import Declined, Kernel, KernelCall, Prepared, Site
from edgeopt.kernels.sparse.dense_site import block_of, dense_site
from edgeopt.kernels.sparse.entries import HEIGHT
from edgeopt.kernels.sparse.plain_rows import row_bias, row_operands, row_tile, row_tiling, row_walk
from edgeopt.kernels.sparse.sparse_walk import walk_function
from edgeopt.kernels.sparse.window_entries import STEP, best_depth, pack, steps_of
from edgeopt.kernels.sparse.window_tile import VECTORS, permutes, window_function

SUMS = 2  # of a tile of several rows, whose sums keep a processor busy by themselves; twice as many of one row


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a SparseGemm of single weights. Raises Declined for blocks, layouts and targets it is not made for."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseGemm. Raises Declined as ``select``."""
    if block_of(site) != (1, 1) or not permutes(site.target):
        raise Declined("its blocks are no single weights, or the target does not pick floats from registers")
    site = dense_site(site)
    weight = site.constant(1)
    bias = row_bias(site, weight)
    window, vectors = VECTORS * site.target.lanes, HEIGHT // site.target.lanes
    room = max(1, (site.target.vector_registers - 4) // (VECTORS + SUMS * vectors))
    matrix = np.ascontiguousarray(weight.T)
    tiling = row_tiling(site, weight, window, room, weight.shape[0] / window, STEP)
    rows = row_walk(site, weight, tiling, 1.0, 1).rows
    counts = steps_of(matrix, rows, window)
    walk = row_walk(site, weight, tiling, max(1.0, float(counts.sum(axis=1).mean())), 1)
    depth = best_depth(counts)
    entries = pack(matrix, rows, window, depth)
    sums = min(depth, SUMS if tiling.positions > 1 else 2 * SUMS)
    run = window_function(site.target, row_tile(site, tiling, weight), depth, sums)
    return Prepared(walk_function(run, walk, entries, HEIGHT), row_operands(site, entries, bias, rows), walk.chunks)


KERNEL = Kernel("window_gemm", ("SparseGemm",), select)
