"""The float tile in TIR: sums of products for some pixels and output vectors, and what follows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.kernels.emit.emitter import LINE
from edgeopt.kernels.tvm.activation import activated
from edgeopt.kernels.tvm.writer import Value, Writer, constant, fma, index, let, quotient, splat
from edgeopt.kernels.walk.micro import Loop, Tile


@dataclass(frozen=True)
class Places:
    """Where a tile begins in its operands: elements of x, weights, bias, residual and result.

    ``ahead``: and in the weights that it fetches while it reads its own, where the tile does so.
    """

    x: Value
    w: Value
    b: Value
    r: Value
    y: Value
    ahead: Value | None = None


def write_tile(w: Writer, tile: Tile, at: Places, sums: Any) -> None:
    """``sums``, memory for pixels x vectors, begin with the bias, take all products and end in y."""
    count, lanes = len(tile.vectors), w.lanes
    for p in range(len(tile.pixels)):
        for v in range(count):
            start = w.load(w.buffers[2], at.b + v * lanes, lanes) if tile.bias else constant(0.0, lanes)
            w.store(sums, start, (p * count + v) * lanes)
    stride = tile.weight_step or count * lanes

    def products(x: Value, k: Value, steps: Sequence[int]) -> None:
        for i, step in enumerate(steps):
            _products(w, tile, sums, at.x + x + step, at.w + (k + i) * stride)

    def body(x: Value, k: Value) -> None:
        if tile.ahead is not None and at.ahead is not None:
            _fetch(w, tile, at.ahead + quotient(k * stride, 1 << tile.ahead))
        products(x, k, tile.steps)

    done = nest(w, tile.loops, len(tile.steps), body)
    products(index(0), index(done), tile.tail)
    _finish(w, tile, at, sums)


def _fetch(w: Writer, tile: Tile, place: Value) -> None:
    """A share of the weights that come next, as large as that which the tile fetches of them in a step of its loops."""
    for line in range(tile.lines_ahead(w.lanes)):
        w.fetch(w.buffers[1], place + line * (LINE // 4))


def nest(w: Writer, loops: Sequence[Loop], steps: int, body: Callable[[Value, Value], None]) -> int:
    """Write ``loops`` around ``body(offset in x, steps before)``, which takes ``steps`` of k each time; returns their number.

    The last iteration of the outermost loop may have fewer inside; it is written by itself.
    """
    if not loops:
        return 0
    first, inner = loops[0], [loop.count for loop in loops[1:]]
    short = [loop.last or loop.count for loop in loops[1:]]
    whole = first.count - 1 if short != inner else first.count
    size = steps * _product(inner)
    if whole:
        with w.loop(whole, kept=True) as i:
            _levels(w, loops[1:], inner, i * first.stride, i * size, steps, body)
    if short != inner:
        _levels(w, loops[1:], short, index(whole * first.stride), index(whole * size), steps, body)
    return whole * size + (steps * _product(short) if short != inner else 0)


def _levels(
    w: Writer, loops: Sequence[Loop], counts: Sequence[int], x: Value, k: Value, steps: int, body: Callable[[Value, Value], None]
) -> None:
    if not loops:
        return body(x, k)
    with w.loop(counts[0], kept=True) as i:
        size = steps * _product(counts[1:])
        _levels(w, loops[1:], counts[1:], x + i * loops[0].stride, k + i * size, steps, body)
    return None


def _product(counts: Sequence[int]) -> int:
    total = 1
    for count in counts:
        total *= count
    return total


def _products(w: Writer, tile: Tile, sums: Any, x: Value, weights: Value) -> None:
    """One step of k: every pixel's element of x times every vector of weights."""
    count, lanes = len(tile.vectors), w.lanes
    vectors = [let(_weight(w, tile, weights, v)) for v in range(count)]
    for p, pixel in enumerate(tile.pixels):
        value = let(splat(w.load(w.buffers[0], x + pixel), lanes))
        for v in range(count):
            at = (p * count + v) * lanes
            w.store(sums, fma(value, vectors[v], w.load(sums, at, lanes)), at)


def _weight(w: Writer, tile: Tile, weights: Value, v: int) -> Value:
    narrow = tile.weight_step and tile.valid and v == len(tile.vectors) - 1
    return w.load_first(w.buffers[1], weights + v * w.lanes, tile.valid if narrow else w.lanes)


def _finish(w: Writer, tile: Tile, at: Places, sums: Any) -> None:
    count = len(tile.vectors)
    for p, place in enumerate(tile.places):
        for v, vector in enumerate(tile.vectors):
            lanes = tile.valid if tile.valid and v == count - 1 else w.lanes
            value = w.load(sums, (p * count + v) * w.lanes, w.lanes)
            if tile.residual:
                value = value + w.load_first(w.buffers[3], at.r + tile.residual[p] + tile.residual_vectors[v], lanes)
            slope = w.load(w.buffers[2], at.b + (count + v) * w.lanes, w.lanes) if tile.activation.sloped else None
            w.store_first(w.buffers[4], activated(tile.activation, let(value), slope), at.y + place + vector, lanes)
