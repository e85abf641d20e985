"""SparseQuantGemm on plain rows: 16 outputs by 4 inputs at a time; all ends of QuantGemm. See ``sparse_gemm``."""

from __future__ import annotations

from edgeopt.kernels.call import Kernel, KernelCall, Prepared, Site
from edgeopt.kernels.integer.quant_dot import arranged, dot_form, pixels_fitting
from edgeopt.kernels.integer.quant_operands import centred, ending, require_result, seen_zero, tile_site
from edgeopt.kernels.integer.requantize import parameters
from edgeopt.kernels.sparse.code_rows import code_operands, code_tile
from edgeopt.kernels.sparse.dense_site import dense_site
from edgeopt.kernels.sparse.entries import HEIGHT, pack
from edgeopt.kernels.sparse.geometry import mean_blocks
from edgeopt.kernels.sparse.plain_rows import inputs_at, row_tiling, row_walk
from edgeopt.kernels.sparse.seen_codes import seen_codes
from edgeopt.kernels.sparse.sparse_quant_conv import PRODUCT, WIDTH
from edgeopt.kernels.sparse.sparse_tile import quant_function
from edgeopt.kernels.sparse.sparse_walk import walk_function


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a SparseQuantGemm. Raises Declined for layouts, types and matrices it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseQuantGemm. Raises Declined as ``select``."""
    site = tile_site(dense_site(site), 1)
    weight, target = centred(site, 1), site.target
    require_result(site.outputs[0])
    blocks, room = mean_blocks(weight.T, WIDTH), pixels_fitting(target, HEIGHT // target.lanes)
    tiling = row_tiling(site, weight, WIDTH, room, blocks, PRODUCT[dot_form(target)])
    how, numbers = ending(site, weight, 1, seen_zero(site))
    walk = row_walk(site, weight, tiling, blocks, WIDTH)
    entries = pack(weight.T[:, None], walk.rows, WIDTH, inputs_at, tiling.together)
    words = parameters(numbers, walk.rows, HEIGHT)
    copies, source = seen_codes(site)
    operands = code_operands(site, source, arranged(target, entries.weights), entries, words)
    run = quant_function(target, code_tile(site, tiling, weight, how), tiling.together, entries.weights[0].size)
    function = walk_function(run, walk, entries, words.shape[1])
    return Prepared(function, operands, walk.chunks, before=tuple(copies))


KERNEL = Kernel("sparse_quant_gemm", ("SparseQuantGemm",), select)
