"""LookupGemm on plain tensors: the tables of all rows first, then tiles of rows and outputs that select from them.

Codes are packed ``[panel][k][vector]`` in nibbles, k in the order channels, codebook. Few tiles take them apart in registers,
more of them share an expanded copy.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.emit_bytes import looks_up
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.integer.quant_dot import dot_form
from edgeopt.kernels.integer.quant_gemm import CHUNKS, Product, product_function
from edgeopt.kernels.integer.quant_operands import RESIDUAL, require_bytes, require_result
from edgeopt.kernels.integer.quant_panels import SHARED
from edgeopt.kernels.integer.requantize import Requantize, parameters
from edgeopt.kernels.lookup.codes import across_words, code_panels, code_vectors, expander
from edgeopt.kernels.lookup.codewords import WORD, Codewords, codewords, ending
from edgeopt.kernels.lookup.lookup_tile import LookupTile, tile_function
from edgeopt.kernels.lookup.lookup_tiling import choose
from edgeopt.kernels.lookup.tables import chunk_of, row_tables, table_bytes
from edgeopt.kernels.walk.micro import Loop
from edgeopt.target import Target

TOGETHER = 2  # chunks of channels in a loop body, so that codes come in whole pairs of vectors
TURNS = 2  # of the inner loop by rows


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a LookupGemm. Raises Declined for small matrices, and codebooks that the tables do not serve."""
    x, y, target = site.given(0), site.outputs[0], site.target
    require_bytes(x)
    require_result(y)
    rows, depth, columns = prod(x.shape[:-1]), x.shape[-1], y.shape[-1]
    if columns < target.lanes or x.layout.block or y.layout.block or not rows:
        raise Declined(f"a matrix of {depth} x {columns} is too small, or the operands do not lie plain")
    if not looks_up(target):
        raise Declined("the target looks up no tables of bytes in registers")
    found, whole = codewords(site, depth), depth + -depth % _unit(target)
    how, numbers = ending(site, columns, found.lookups)
    size = table_bytes(found, chunk_of(target))
    product = _product(target, rows, whole, columns, whole // chunk_of(target) * size // _register(target))
    starts, width = product.starts(target.lanes), product.vectors * target.lanes
    panels = code_panels(target, _panels(target, found, whole, starts, width))
    paired = product.run < SHARED
    streamed = paired and panels.stored.nbytes > target.l2 // 2
    run = tile_function(target, replace(_tile(target, product, how, size), paired=paired, streamed=streamed))
    words = parameters(numbers, starts, width)
    read = inline(_as_it_is) if paired else expander(target, panels)
    function = product_function(product, width, size, run, read, panels.bytes, words.shape[1])
    memory = Temporary("tables", rows * whole // chunk_of(target) * size, dtype="int8")
    added = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Output()
    operands = (memory, Packed(panels.stored), Packed(words), added, Output(), Output() if paired else panels.memory())
    calls, source = _filled(site, rows, depth, whole)
    build = row_tables(site, source, found, rows, whole, memory)
    return *calls, build, KernelCall(function, operands, (), len(starts) * -(-product.tiles // product.run))


def _as_it_is(codes: Any, copy: Any, panel: Any, known: Any) -> Any:
    return codes


def _unit(target: Target) -> int:
    """Channels in a turn of the outer loop."""
    return chunk_of(target) * TOGETHER * (1 if across_words(target) else TURNS)


def _register(target: Target) -> int:
    """Bytes of tables that one look-up reads."""
    return target.vector_bytes if across_words(target) else 16


def _filled(site: Site, rows: int, depth: int, whole: int) -> tuple[tuple[KernelCall, ...], Operand]:
    """The operand that tables are built from, and the call that makes it: rows filled up, widened where the target wants it."""
    wide = dot_form(site.target) == "words"
    if depth == whole and not wide:
        return (), Input(0)
    copy = Temporary("filled", rows * whole, dtype="int16" if wide else site.given(0).type.dtype)
    return (KernelCall(_fill, (Input(0), copy), (depth, whole), rows),), copy


def _fill(x: Any, y: Any, begin: Any, end: Any, depth: Any, whole: Any) -> None:
    for row in range(begin, end):
        for i in range(depth):
            y[row * whole + i] = x[row * depth + i]
        for i in range(depth, whole):
            y[row * whole + i] = 0


def _product(target: Target, rows: int, depth: int, columns: int, steps: int) -> Product:
    tiling = choose(target, rows, -(-columns // target.lanes), 1, steps)
    vectors = min(tiling.vectors, columns // target.lanes)
    panels, tiles = -(-columns // (vectors * target.lanes)), -(-rows // tiling.pixels)
    return Product(rows, depth, columns, tiling.pixels, vectors, max(1, tiles * panels // CHUNKS))


def _tile(target: Target, product: Product, how: Requantize, size: int) -> LookupTile:
    places = tuple(i * product.columns for i in range(product.pixels))
    vectors = tuple(v * target.lanes for v in range(product.vectors))
    chunk, unit = product.rows * size, product.depth // _unit(target)
    inner = () if across_words(target) else (Loop(TURNS, TOGETHER * chunk),)
    return LookupTile(
        pixels=tuple(i * size for i in range(product.pixels)),
        places=places,
        vectors=vectors,
        loops=(Loop(unit, TOGETHER * chunk * (TURNS if inner else 1)), *inner),
        steps=tuple(i * chunk + at for i in range(TOGETHER) for at in range(0, size, _register(target))),
        end=how,
        residual=places,
        residual_vectors=vectors,
    )


def _panels(target: Target, found: Codewords, depth: int, starts: list[int], width: int) -> Array:
    """Codes as [panel, bytes] of indices; those of words that do not exist are zero."""
    codes = np.pad(found.codes, ((0, 0), (0, 0), (0, depth // WORD - found.codes.shape[2])))
    count, outputs = codes.shape[:2]
    order = codes.reshape(count, outputs, -1, chunk_of(target) // WORD).transpose(2, 0, 1, 3)
    steps = order.reshape(-1, *order.shape[2:])
    return np.stack([code_vectors(target, steps[:, first : first + width]) for first in starts])


KERNEL = Kernel("lookup_gemm", ("LookupGemm",), select)
