"""SparseQuantGemm on plain rows: 16 outputs by 4 inputs at a time; all ends of QuantGemm. See ``sparse_gemm``."""

from __future__ import annotations

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site
from edgeopt.kernels.integer.quant_dot import arranged, dot_form, meets_limit, pixels_fitting
from edgeopt.kernels.integer.quant_operands import RESIDUAL, centred, ending, require_result, seen_zero, tile_site
from edgeopt.kernels.integer.quant_tile import QuantTile
from edgeopt.kernels.integer.requantize import Requantize, parameters
from edgeopt.kernels.sparse.dense_site import dense_site
from edgeopt.kernels.sparse.entries import HEIGHT, pack
from edgeopt.kernels.sparse.geometry import mean_blocks
from edgeopt.kernels.sparse.plain_rows import inputs_at, lanes_of, row_tiling, row_walk, steps
from edgeopt.kernels.sparse.seen_codes import seen_codes
from edgeopt.kernels.sparse.sparse_quant_conv import PRODUCT, ROLES, WIDTH
from edgeopt.kernels.sparse.sparse_tile import quant_function
from edgeopt.kernels.sparse.sparse_tiling import SparseTiling
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
    added: Operand = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    stored = (arranged(target, entries.weights), entries.offsets, entries.starts, words)
    operands = (source, *(Packed(array) for array in stored), added, Output())
    run = quant_function(target, _tile(site, tiling, weight, how), tiling.together, entries.weights[0].size)
    function = walk_function(run, walk, entries, words.shape[1])
    return Prepared(function, dict(zip(ROLES, operands, strict=True)), walk.chunks, before=tuple(copies))


def _tile(site: Site, tiling: SparseTiling, weight: Array, how: Requantize) -> QuantTile:
    inputs, outputs = weight.shape
    places, vectors = steps(tiling, outputs), lanes_of(site)
    return QuantTile(
        pixels=steps(tiling, inputs),
        places=places,
        vectors=vectors,
        loops=(),
        steps=(0,),
        end=how,
        residual=places if how.added else (),
        residual_vectors=vectors if how.added else (),
        limit=meets_limit(site.target, weight),
    )


KERNEL = Kernel("sparse_quant_gemm", ("SparseQuantGemm",), select)
