"""SparseQuantConv in the blocked layout: 16 outputs by 4 inputs at a time, strided, dilated, grouped; all ends of QuantConv.

Each block that is not zero is loaded once for all positions of a tile and multiplied by four neighbouring codes of each. Blocks
lie as the layout does, so nothing is converted; no zero block costs anything.
"""

from __future__ import annotations

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site
from edgeopt.kernels.conv.conv_blocked import vector_offsets
from edgeopt.kernels.integer.quant_dot import WORDS, arranged, dot_form, meets_limit, pixels_fitting
from edgeopt.kernels.integer.quant_operands import RESIDUAL, centred, ending, require_result, seen_zero, tile_site, x_zero
from edgeopt.kernels.integer.quant_tile import QuantTile
from edgeopt.kernels.integer.requantize import Requantize, parameters
from edgeopt.kernels.sparse.dense_site import dense_site, halo
from edgeopt.kernels.sparse.entries import HEIGHT, pack
from edgeopt.kernels.sparse.geometry import Geometry, conv_geometry, conv_walk, mean_blocks
from edgeopt.kernels.sparse.seen_codes import seen_codes
from edgeopt.kernels.sparse.sparse_tile import quant_function
from edgeopt.kernels.sparse.sparse_tiling import SparseTiling, choose
from edgeopt.kernels.sparse.sparse_walk import walk_function
from edgeopt.target import Target

WIDTH = 4  # inputs of a block
PRODUCT = {"spread": 1.3, "lane": 1.0, "long": 3.0, "words": 4.0}  # issue slots of a step of one accumulator, by form
ROLES = ("x", "weights", "offsets", "starts", "numbers", "residual", "y")


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a SparseQuantConv. Raises Declined for layouts, types and groups it cannot walk."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseQuantConv. Raises Declined as ``select``."""
    site = tile_site(dense_site(site), 0)
    x, y, residual, weight = site.given(0), site.outputs[0], site.optional(RESIDUAL), centred(site, 0)
    require_result(y)
    geometry = conv_geometry(site, weight, residual, WIDTH)
    if any(geometry.window.halo) and x.layout.fill != x_zero(site.node):
        raise Declined("the border of its input does not hold its zero point")
    vectors = HEIGHT // site.target.lanes
    room = pixels_fitting(site.target, vectors)
    blocks = mean_blocks(weight, WIDTH)
    missing = geometry.missing(site.target, 2 if dot_form(site.target) == WORDS else 1)
    tiling = choose(geometry.size, vectors, room, blocks, PRODUCT[dot_form(site.target)], missing)
    how, numbers = ending(site, weight, 0, seen_zero(site))
    walk = conv_walk(site.target, geometry, tiling, blocks, WIDTH, x.elements)
    entries = pack(geometry.matrix(weight), walk.rows, WIDTH, geometry.place, tiling.together)
    tile = _tile(site.target, geometry, tiling, how, weight)
    words = parameters(numbers, walk.rows, HEIGHT)
    copies, source = seen_codes(site)
    added: Operand = Input(RESIDUAL) if residual is not None else Output()
    stored = Packed(arranged(site.target, entries.weights))
    operands = (source, stored, Packed(entries.offsets), Packed(entries.starts), Packed(words), added, Output())
    run = quant_function(site.target, tile, tiling.together, entries.weights[0].size)
    function = walk_function(run, walk, entries, words.shape[1])
    return Prepared(function, dict(zip(ROLES, operands, strict=True)), walk.chunks, before=tuple(copies))


def _tile(target: Target, geometry: Geometry, tiling: SparseTiling, how: Requantize, weight: Array) -> QuantTile:
    """One step of four codes at all positions of a tile."""
    vectors, added = HEIGHT // target.lanes, bool(how.added)
    return QuantTile(
        pixels=geometry.offsets(geometry.x, tiling, geometry.window.strides),
        places=geometry.offsets(geometry.y, tiling),
        vectors=vector_offsets(target, geometry.y, vectors),
        loops=(),
        steps=(0,),
        end=how,
        residual=geometry.offsets(geometry.r, tiling) if added else (),
        residual_vectors=vector_offsets(target, geometry.r, vectors) if added else (),
        limit=meets_limit(target, weight),
    )


KERNEL = Kernel("sparse_quant_conv", ("SparseQuantConv",), select, layout="blocked", hot=True, halo=halo, fill=x_zero)
