"""The register tile of integer convolutions and matrix products: bytes in groups of four, exact in int32.

    y[p, v] = requantize(bias[v] + sum over k of x[pixel(p) + step(k)] * w[k, v], residual[p, v])

Like the float tile, with steps of four neighbouring input channels. Offsets count elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from edgeopt.kernels.emit.emitter import I8, I16, Emitter, Value
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_dot import Steps
from edgeopt.kernels.integer.requantize import HEADER, WIDE, Requantize, emit_end
from edgeopt.kernels.walk.micro import Loop, nest
from edgeopt.target import Target


@dataclass(frozen=True, kw_only=True)
class Results:
    """Where a tile of sums ends: ``places`` in y and ``residual`` in r are offsets of each pixel, ``vectors`` and

    ``residual_vectors`` those of each output vector.
    """

    places: tuple[int, ...]
    vectors: tuple[int, ...]
    end: Requantize
    residual: tuple[int, ...] = ()
    residual_vectors: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QuantTile(Results):
    """``pixels`` are offsets in x of each pixel. ``loops`` (outermost first) and ``steps`` walk k. ``flipped``: codes of x change
    sign, by 128, before they enter the dot product. ``limit``: a weight may be -128. ``wide``: w holds
    int16. ``paired``: w lies in nibbles. x and w lie as ``quant_dot`` says."""

    pixels: tuple[int, ...]
    loops: tuple[Loop, ...]
    steps: tuple[int, ...]
    flipped: bool = False
    tail: tuple[int, ...] = ()
    limit: bool = True
    wide: bool = False
    paired: bool = False


def tile_function(target: Target, tile: QuantTile) -> Any:
    """The tile as a function ``(x, w, b, r, y)``; b is a block of ``requantize.parameters``."""

    def emit(e: Emitter, x: Value, w: Value, b: Value, r: Value, y: Value) -> None:
        emit_tile(e, tile, x, w, b, r, y)

    return vector_function(target, 5, emit)


def emit_tile(e: Emitter, tile: QuantTile, x: Value, w: Value, b: Value, r: Value, y: Value) -> None:
    """Write the tile's code."""
    carried = nest(e, tile.loops, x, [w, *first_sums(e, tile, b)], lambda x, values: accumulate(e, tile, tile.steps, x, values))
    emit_results(e, tile, accumulate(e, tile, tile.tail, x, carried)[1:], b, r, y)


def first_sums(e: Emitter, tile: QuantTile, b: Value) -> list[Value]:
    """What the sums [pixel][vector] begin with: the bias."""
    return [e.load_as(e.int_vector, b, HEADER + v * e.lanes) for v in range(len(tile.vectors))] * len(tile.pixels)


def emit_results(e: Emitter, tile: Results, total: list[Value], b: Value, r: Value, y: Value) -> None:
    """Write what follows the sums ``total`` [pixel][vector]: requantisation, residual, activation, stores."""
    count = len(tile.vectors)
    multipliers = [_multiplier(e, b, HEADER + (count + v) * e.lanes) for v in range(count)]
    order = [(p, v) for v in range(count) for p in range(len(tile.places))]
    order.sort(key=lambda pair: tile.places[pair[0]] + tile.vectors[pair[1]])
    for first in range(0, len(order), 4):
        part = order[first : first + 4]
        sums, factors = [total[p * count + v] for p, v in part], [multipliers[v] for _, v in part]
        added = [_residual(e, tile, r, p, v) for p, v in part] if tile.end.added else []
        emit_end(e, tile.end, sums, factors, b, added, y, [tile.places[p] + tile.vectors[v] for p, v in part])


def _multiplier(e: Emitter, b: Value, word: int) -> Value:
    return e.builder.bitcast(e.load_as(e.int_vector, b, word), e.vector)


def _residual(e: Emitter, tile: Results, r: Value, p: int, v: int) -> Value:
    place = tile.residual[p] + tile.residual_vectors[v]
    if tile.end.added in WIDE:
        return e.load_as(ir.VectorType(I16, e.lanes), r, place)
    return e.builder.bitcast(e.load_as(ir.IntType(8 * e.lanes), r, place), ir.VectorType(I8, e.lanes))


def accumulate(e: Emitter, tile: QuantTile, steps: tuple[int, ...], x: Value, carried: list[Value]) -> list[Value]:
    """Write the products of ``steps``: ``carried`` is the weights' pointer, then the sums [pixel][vector]; so is the result."""
    w, total, count = carried[0], carried[1:], len(tile.vectors)
    walk = Steps(e, x, tile.pixels, steps, tile.flipped, tile.limit, tile.wide, tile.paired)
    for k in range(len(steps)):
        for part in range(walk.parts):
            weights = [walk.weight(w, k * count + v, part) for v in range(count)]
            for p in range(len(tile.pixels)):
                sums = slice(p * count, (p + 1) * count)
                total[sums] = walk.dots(total[sums], walk.value(k, p, part), weights)
    return [walk.behind(w, count), *total]
