"""QuantMatMul, the product of two computed matrices of bytes: the right one is packed on the way, as weights are at compile time.

With a as the dot product sees it (zero point z), and b' = b - 128 for unsigned codes (zero point u)

    sum (a - z) (b' - u) = sum a b'  -  z sum b'  +  depth z u  -  u sum a

The second and third terms depend on the column, and stand where weights have a bias; the last one depends on the row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.emitter import I32, Emitter, Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.matmul_panels import Panel, panel_function
from edgeopt.kernels.integer.quant_dot import as_multiplied
from edgeopt.kernels.integer.quant_gemm import Product, product_of, tile_of
from edgeopt.kernels.integer.quant_operands import (
    LIMITS,
    SUM_LIMIT,
    limits_alone,
    per_tensor,
    require_bytes,
    require_result,
    seen_zero,
    tile_flips,
)
from edgeopt.kernels.integer.quant_tile import QuantTile, accumulate, emit_results, first_sums
from edgeopt.kernels.integer.requantize import HEADER, LARGE, Numbers, Requantize, parameters
from edgeopt.kernels.walk.micro import nest
from edgeopt.target import Target

A, B, RESULT = 0, 3, 6
LEAST = 4  # of the depth: codes of a step


@dataclass(frozen=True)
class Stack:
    """``images`` products; sizes in elements of what is kept for each: packed matrix and words (panels of it), per panel."""

    images: int
    product: Product
    panels: int
    weights: int
    words: int


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a QuantMatMul. Raises Declined for broadcast stacks, small matrices and other types."""
    stack = _stack(site)
    copies, source = as_multiplied(site.target, site.given(A))
    numbers = _numbers(site, stack)
    memory = [
        Temporary("matrix", stack.images * stack.panels * stack.weights, dtype="int8"),
        Temporary("words", stack.images * stack.panels * stack.words, dtype="int32"),
        Temporary("rows", stack.images * stack.product.rows, dtype="int32"),
    ]
    packing: tuple[Operand, ...] = (Input(B), Packed(numbers), memory[0], memory[1])
    pack = KernelCall(_pack(site, stack), packing, (), stack.images * stack.panels)
    lines = stack.images * stack.product.rows
    other, shift = _right_zero(site), seen_zero(site) - per_tensor(site, A + 1)[1]
    rows = KernelCall(_sum_rows, (Input(A), memory[2]), (stack.product.depth, shift, other), lines)
    parts = -(-stack.product.tiles // stack.product.run)
    multiply = KernelCall(_multiply(site, stack), (source, *memory, Output()), (), stack.images * stack.panels * parts)
    return (*copies, pack, rows, multiply)


def _stack(site: Site) -> Stack:
    a, b, y, target = site.given(A), site.given(B), site.outputs[0], site.target
    require_bytes(a, b)
    require_result(y)
    if min(len(a.shape), len(b.shape)) < 2 or a.shape[:-2] != b.shape[:-2]:
        raise Declined("an operand is a vector, or broadcast")
    (rows, depth), columns = a.shape[-2:], b.shape[-1]
    if depth < LEAST or columns < target.lanes or depth * 255 * 255 >= SUM_LIMIT:
        raise Declined(f"a matrix of {depth} x {columns} is too small, or its sums may not fit 32 bits")
    product, images = product_of(target, rows, depth, columns), prod(y.shape[:-2])
    panels = len(product.starts(target.lanes))
    product = replace(product, run=max(1, min(product.tiles, product.run * images)))
    width = product.vectors * target.lanes
    return Stack(images, product, panels, -(-depth // 4) * 4 * width, HEADER + 2 * width)


def _right_zero(site: Site) -> int:
    """The zero point of b as it is packed."""
    zero = per_tensor(site, B + 1)[1]
    return zero - 128 if site.given(B).type.dtype == "uint8" else zero


def _ending(site: Site, depth: int) -> tuple[Requantize, Numbers]:
    result, factor = site.outputs[0].type.dtype, per_tensor(site, A + 1)[0] * per_tensor(site, B + 1)[0]
    scale, zero = per_tensor(site, RESULT) if result != "float32" else (1.0, 0)
    multiplier = factor / scale
    guarded = depth * 255 * 255 * multiplier >= LARGE
    limits, limited = limits_alone(site.node, result)
    how = Requantize(result=result, shifted=zero != 0, limited=limited and result in LIMITS, guarded=guarded)
    return how, Numbers(np.zeros(0), np.array([multiplier]), zero, limits if result in LIMITS else (0, 0))


def _numbers(site: Site, stack: Stack) -> Any:
    """The words of a panel without the biases."""
    width = stack.product.vectors * site.target.lanes
    _, numbers = _ending(site, stack.product.depth)
    numbers = replace(numbers, bias=np.zeros(width, np.int32), multiplier=np.repeat(numbers.multiplier, width))
    return parameters(numbers, [0], width)


def _pack(site: Site, stack: Stack) -> Callable[..., None]:
    """``(b, numbers, matrix, words, begin, end)``; a chunk is a panel of an image."""
    target, product = site.target, stack.product
    zero, other, depth, columns = seen_zero(site), _right_zero(site), product.depth, product.columns
    panel = Panel(depth, columns, product.vectors, site.given(B).type.dtype == "uint8", -zero, depth * zero * other)
    run, panels, weights, words = panel_function(target, panel), stack.panels, stack.weights, stack.words
    width = product.vectors * target.lanes
    final = columns - width

    def pack(b: Any, numbers: Any, matrix: Any, made: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            source = offset(b, chunk // panels * depth * columns + min(chunk % panels * width, final))
            run(source, numbers, offset(matrix, chunk * weights), offset(made, chunk * words))

    return pack


def _sum_rows(x: Any, rows: Any, begin: Any, end: Any, depth: Any, shift: Any, other: Any) -> None:
    """The term of each row: the sum of its codes as they are multiplied, times minus the zero point of the other matrix."""
    for row in range(begin, end):
        total = np.int32(0)
        for k in range(depth):
            total += np.int32(x[row * depth + k])
        rows[row] = np.int32(-other * (total + shift * depth))


def _multiply(site: Site, stack: Stack) -> Callable[..., None]:
    """``(a, matrix, words, rows, y, begin, end)``; a chunk is a run of tiles of a panel of an image."""
    target, product = site.target, stack.product
    how, _ = _ending(site, product.depth)
    tile = replace(tile_of(target, product, how), residual=(), residual_vectors=(), flipped=tile_flips(site))
    run, tiles, length, pixels = _tile_function(target, tile), product.tiles, product.run, product.pixels
    rows, depth, columns, width = product.rows, product.depth, product.columns, product.vectors * target.lanes
    parts, final, panels, weights, words = -(-tiles // length), columns - width, stack.panels, stack.weights, stack.words

    def multiply(x: Any, w: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            panel, first = chunk // parts, chunk % parts * length
            image, column = panel // panels, min(panel % panels * width, final)
            wc, bc = offset(w, panel * weights), offset(b, panel * words)
            for t in range(first, min(first + length, tiles)):
                row = image * rows + (t * pixels if t < tiles - 1 else rows - pixels)
                run(offset(x, row * depth), wc, bc, offset(r, row), offset(y, row * columns + column))

    return multiply


def _tile_function(target: Target, tile: QuantTile) -> Any:
    """The tile as a function ``(x, w, b, rows, y)``; ``rows`` holds a number for each pixel that goes into its sums."""

    def emit(e: Emitter, x: Value, w: Value, b: Value, rows: Value, y: Value) -> None:
        count, start = len(tile.vectors), first_sums(e, tile, b)
        terms = [e.splat(e.load_as(I32, rows, p)) for p in range(len(tile.pixels))]
        start = [e.builder.add(value, terms[i // count]) for i, value in enumerate(start)]
        carried = nest(e, tile.loops, x, [w, *start], lambda x, values: accumulate(e, tile, tile.steps, x, values))
        emit_results(e, tile, accumulate(e, tile, tile.tail, x, carried)[1:], b, y, y)

    return vector_function(target, 5, emit)


KERNEL = Kernel("quant_matmul", ("QuantMatMul",), select)
