"""The register tile of sparse products: the blocks of one row of blocks, each read once and multiplied at all positions.

    y[p, v] = end(bias[v] + sum over blocks k of x[p + offset(k)] * w[k, v], residual[p, v])

The tiles of dense products do the same for one step of k; what differs is that the offsets come from memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from edgeopt.kernels.emit.emitter import I32, I64, Emitter, Value, integer
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer import quant_tile
from edgeopt.kernels.integer.quant_tile import QuantTile
from edgeopt.kernels.walk import micro
from edgeopt.kernels.walk.micro import Tile
from edgeopt.target import Target

Products = Callable[[Value, Value, list[Value]], list[Value]]  # x at a block's offset, the block, the sums -> the sums


def float_function(target: Target, tile: Tile, together: int, size: int) -> Any:
    """The tile of one step as a function ``(x, w, o, b, r, y)``; a block has ``size`` weights. See ``entries`` for w and o."""

    def emit(e: Emitter, x: Value, w: Value, o: Value, b: Value, r: Value, y: Value) -> None:
        def products(x: Value, w: Value, total: list[Value]) -> list[Value]:
            return micro.accumulate(e, tile, tile.steps, x, [w, *total])[1:]

        total = _sums(e, together, size, (x, w, o), micro.first_sums(e, tile, b), products)
        micro.emit_results(e, tile, total, r, y)

    return vector_function(target, 6, emit)


def quant_function(target: Target, tile: QuantTile, together: int, size: int) -> Any:
    """As ``float_function``, for codes; b is a block of ``requantize.parameters``."""

    def emit(e: Emitter, x: Value, w: Value, o: Value, b: Value, r: Value, y: Value) -> None:
        def products(x: Value, w: Value, total: list[Value]) -> list[Value]:
            return quant_tile.accumulate(e, tile, tile.steps, x, [w, *total])[1:]

        total = _sums(e, together, size, (x, w, o), quant_tile.first_sums(e, tile, b), products)
        quant_tile.emit_results(e, tile, total, b, r, y)

    return vector_function(target, 6, emit)


def _sums(
    e: Emitter, together: int, size: int, pointers: tuple[Value, Value, Value], first: list[Value], products: Products
) -> list[Value]:
    """The sums over all blocks of a row, ``together`` at a time, each into accumulators of its own."""
    (x, w, o), count = pointers, len(first)
    rounds = e.builder.zext(e.load_as(I32, o), I64)
    start = first + [ir.Constant(value.type, None) for value in first] * (together - 1)

    def body(index: Value, *total: Value) -> list[Value]:
        number, made = e.builder.mul(index, integer(together)), list(total)
        places, weights = e.at(o, number), e.at(w, e.builder.mul(number, integer(size)))
        for k in range(together):
            here = e.at(x, e.builder.zext(e.load_as(I32, places, 1 + k), I64))
            made[k * count : (k + 1) * count] = products(here, e.at(weights, k * size), made[k * count : (k + 1) * count])
        return made

    total = e.loop(rounds, start, body)
    add = e.add if first[0].type == e.vector else e.builder.add
    for k in range(1, together):
        total[:count] = [add(a, b) for a, b in zip(total[:count], total[k * count : (k + 1) * count], strict=True)]
    return total[:count]
