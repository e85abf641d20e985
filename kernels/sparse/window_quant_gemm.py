"""SparseQuantGemm of single weights on plain rows: each output picks its codes from windows in registers; all ends of QuantGemm.

See ``window_entries`` for how weights lie; a step takes four codes of each of 16 outputs.
"""

from __future__ import annotations

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Prepared, Site
from edgeopt.kernels.emit.emit_bytes import looks_up
from edgeopt.kernels.integer.quant_dot import dot_form
from edgeopt.kernels.integer.quant_operands import centred, ending, require_bytes, require_result, seen_zero
from edgeopt.kernels.integer.requantize import parameters
from edgeopt.kernels.sparse.code_rows import code_operands, code_tile
from edgeopt.kernels.sparse.dense_site import block_of, dense_site
from edgeopt.kernels.sparse.entries import HEIGHT
from edgeopt.kernels.sparse.plain_rows import row_tiling, row_walk
from edgeopt.kernels.sparse.seen_codes import seen_codes
from edgeopt.kernels.sparse.sparse_walk import walk_function
from edgeopt.kernels.sparse.window_entries import STEP, best_depth, pack, steps_of
from edgeopt.kernels.sparse.window_gemm import SUMS
from edgeopt.kernels.sparse.window_quant_tile import EACH, in_order, lowest_place, window_codes, window_quant_function


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a SparseQuantGemm of single weights. Raises Declined for blocks, types, layouts and targets without."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a SparseQuantGemm. Raises Declined as ``select``."""
    if block_of(site) != (1, 1) or not looks_up(site.target):
        raise Declined("its blocks are no single weights, or the target does not pick bytes from registers")
    site = dense_site(site)
    require_bytes(site.given(0))
    require_result(site.outputs[0])
    weight, target = centred(site, 1), site.target
    window, vectors, matrix = window_codes(target), HEIGHT // target.lanes, np.ascontiguousarray(weight.T)
    room = max(1, (target.vector_registers - 4) // (2 + SUMS * vectors))
    tiling = row_tiling(site, weight, window, room, weight.shape[0] / window, STEP)
    rows = row_walk(site, weight, tiling, 1.0, EACH).rows
    counts = steps_of(matrix, rows, window, EACH)
    walk = row_walk(site, weight, tiling, max(1.0, float(counts.sum(axis=1).mean())), EACH)
    depth = best_depth(counts)
    entries = pack(matrix, rows, window, depth, EACH, lambda step: in_order(target, step), lowest_place(target))
    how, numbers = ending(site, weight, 1, seen_zero(site))
    words = parameters(numbers, rows, HEIGHT)
    copies, source = _source(site)
    sums = min(depth, SUMS if tiling.positions > 1 else 2 * SUMS)
    signed = site.given(0).type.dtype == "int8"
    run = window_quant_function(target, code_tile(site, tiling, weight, how), depth, sums, signed)
    operands = code_operands(site, source, entries.weights, entries, words)
    return Prepared(walk_function(run, walk, entries, words.shape[1]), operands, walk.chunks, before=copies)


def _source(site: Site) -> tuple[tuple[KernelCall, ...], Operand]:
    """The codes of x as bytes: they are widened where they have been picked."""
    return ((), Input(0)) if dot_form(site.target) == "words" else seen_codes(site)


KERNEL = Kernel("window_quant_gemm", ("SparseQuantGemm",), select)
