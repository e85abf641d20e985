"""Recurrent products of integers: every step rounds the units to codes, which the tiles multiply with the codes of the weights.

    product[gate] = scale[gate] * (sum over k of code[k] * w[k, gate] - zero * sum over k of w[k, gate]) + bias[gate]

Weights lie as integer products read them (``integer.quant_dot``), in panels of the units of one tile, behind a header with the
grid of the units. A panel ends with what the sums begin with, the scales and the biases of its columns. The codes of the units
are those that the target multiplies: bytes of its sign, or words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined
from edgeopt.kernels.emit.emitter import F32, I8, I16, I32, Emitter, Value, integer
from edgeopt.kernels.emit.quotient import quotient
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_dot import arranged, dot_form, meets_limit
from edgeopt.kernels.integer.quant_operands import LIMITS
from edgeopt.kernels.integer.quant_tile import QuantTile, accumulate
from edgeopt.kernels.integer.requantize import HEADER as WORDS
from edgeopt.kernels.integer.requantize import LARGE, Numbers, Requantize, emit_end, parameters
from edgeopt.kernels.recurrent.recurrent import Cell
from edgeopt.kernels.recurrent.recurrent_weights import Matrix, columns
from edgeopt.kernels.walk.micro import Loop, nest
from edgeopt.target import Target

HEADER = 128  # bytes before the panels: the words of ``requantize.parameters``, then the scale of the units and its inverse
STEPS = 4  # words of k in a loop body
TOGETHER = 4  # vectors of units that are rounded together


def code_type(target: Target) -> str:
    """The type of codes that the target multiplies."""
    return {"words": "int16", "spread": "uint8"}.get(dot_form(target), "int8")


def dot_panels(target: Target, cell: Cell, weights: Matrix) -> Array:
    """Header and panels of ``weights``, as bytes. Raises Declined where the target may not multiply them exactly."""
    grid, lanes = weights.grid, target.lanes
    assert grid is not None and weights.scale is not None and weights.bias is not None
    if lanes < 4 or meets_limit(target, weights.array):
        raise Declined("it has no integer tiles for recurrent layers" if lanes < 4 else "a weight is -128")
    seen = _seen(target, grid.dtype, int(grid.zero))
    matrix = columns(weights.array, cell, lanes)
    padded = np.zeros((cell.hidden + -cell.hidden % 4, matrix.shape[1]), np.int8)
    padded[: cell.hidden] = matrix
    first = (-seen * matrix.sum(axis=0, dtype=np.float64)).astype(np.int32)
    steps, added = (columns(v.astype(np.float32), cell, lanes)[0] for v in (weights.scale * grid.scale, weights.bias))
    width, parts = cell.vectors * cell.gates * lanes, [_header(target, float(grid.scale), seen, grid.dtype)]
    for start in range(0, matrix.shape[1], width):
        own = slice(start, start + width)
        panel = padded[:, own].reshape(-1, 4, padded[:, own].shape[1]).transpose(0, 2, 1)
        parts += [np.ascontiguousarray(a).view(np.uint8).reshape(-1) for a in (arranged(target, panel), first[own])]
        parts += [np.ascontiguousarray(a[own]).view(np.uint8) for a in (steps, added)]
    return np.concatenate(parts)


def _seen(target: Target, dtype: str, zero: int) -> int:
    """The zero point of the units in codes that the target multiplies."""
    return zero + {("uint8", "int8"): 128, ("int8", "uint8"): -128}.get((code_type(target), dtype), 0)


def _header(target: Target, scale: float, zero: int, dtype: str) -> Array:
    words = parameters(Numbers(np.zeros(0), np.zeros(0), zero, LIMITS[dtype]), [0], 0).reshape(-1)
    numbers = np.array([scale, 1 / np.float32(scale)], np.float32)
    made = np.zeros(HEADER, np.uint8)
    used = np.concatenate([words.view(np.uint8), numbers.view(np.uint8)])
    made[: used.size] = used
    return made


def rounding(target: Target, cell: Cell) -> Any:
    """The codes of the units of a tile's sequences as a function (units, header, codes)."""
    how = Requantize(result=code_type(target), shifted=True, guarded=False)
    element = I16 if how.result == "int16" else I8

    def emit(e: Emitter, units: Value, w: Value, codes: Value) -> None:
        words, made = e.builder.bitcast(w, I32.as_pointer()), e.builder.bitcast(codes, element.as_pointer())
        divisor, inverse = (e.splat(e.load_as(F32, words, WORDS + i)) for i in range(2))

        def together(place: Value, count: int) -> list[Value]:
            x, y = e.at(units, place), e.at(made, place)
            values = [quotient(e, e.load(x, i * e.lanes), divisor, inverse, LARGE) for i in range(count)]
            emit_end(e, how, values, [e.constant(1.0)] * count, words, [], y, [i * e.lanes for i in range(count)])
            return []

        total = cell.rows * cell.units // e.lanes
        if total >= TOGETHER:
            e.loop(total // TOGETHER, [], lambda i: together(e.builder.mul(i, integer(TOGETHER * e.lanes)), TOGETHER))
        if total % TOGETHER:
            together(integer(total // TOGETHER * TOGETHER * e.lanes), total % TOGETHER)

    return vector_function(target, 3, emit)


def dot_products(e: Emitter, cell: Cell, count: int, w: Value, codes: Value) -> list[Value]:
    """The recurrent products of ``count`` vectors of gates with their bias, for each sequence, from the codes of the units."""
    words, width = -(-cell.hidden // 4), count * e.lanes
    body, behind = words // STEPS, 4 * words * width
    tile = QuantTile(
        pixels=tuple(i * cell.units for i in range(cell.rows)),
        places=(),
        vectors=tuple(range(count)),
        loops=(Loop(body, 4 * STEPS),) if body else (),
        steps=tuple(range(0, 4 * STEPS, 4)) if body else (),
        tail=tuple(range(4 * body * STEPS, 4 * words, 4)),
        end=Requantize(result="float32"),
        limit=False,
    )
    x = e.builder.bitcast(codes, (I16 if dot_form(e.target) == "words" else I8).as_pointer())
    first, steps, added = ([e.load_as(k, w, behind + 4 * (i * width + v * e.lanes)) for v in range(count)] for i, k in _ends(e))
    carried = nest(e, tile.loops, x, [w, *first * cell.rows], lambda x, values: accumulate(e, tile, tile.steps, x, values))
    sums = accumulate(e, tile, tile.tail, x, carried)[1:]
    return [e.fma(e.builder.sitofp(s, e.vector), steps[i % count], added[i % count]) for i, s in enumerate(sums)]


def _ends(e: Emitter) -> list[tuple[int, Any]]:
    """What lies behind the codes of a panel."""
    return [(0, e.int_vector), (1, e.vector), (2, e.vector)]
