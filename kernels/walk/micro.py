"""One register tile, from which convolutions, matrix products and the Winograd product are made.

    y[p, v] = activation(bias[v] + sum over k of x[pixel(p) + step(k)] * w[k, v] + residual[p, v])

It is an implicit matrix product: pixels and k-steps are affine in memory, a tile of pixels x output vectors stays in
registers over the whole sum, weights are read in sequence as vectors and inputs as broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llvmlite import ir

from edgeopt.kernels.emit.emitter import LINE, Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

STEPS = 8  # k-steps in a loop body; LLVM starts to spill with more


@dataclass(frozen=True)
class Loop:
    """A loop over k: ``count`` iterations, ``stride`` elements of x apart; ``last`` is the count in the final outermost one.

    The count of an outermost loop, and strides, may be values of the code that is written.
    """

    count: int | Value
    stride: int | Value
    last: int = 0


@dataclass(frozen=True)
class Tile:
    """What a register tile computes. All offsets count elements and are relative to the pointers the tile is called with.

    ``pixels`` are the offsets in x, ``places`` in y and ``residual`` in r of each pixel; ``vectors`` and
    ``residual_vectors`` those of each output vector; ``loops`` (outermost first) and ``steps`` walk k, ``tail`` holds the steps
    left over, relative to x. Weights lie in the order of k, ``weight_step`` apart (0: packed, one vector after the other), the
    bias in the order of the output vectors, and behind all of it the slopes of an activation that has them. ``valid`` lanes of
    the last vector exist in memory (0: all). Steps of one body must not meet the same element through different pixels: LLVM
    would hold every broadcast in a register and spill. ``ahead``: while the weights are read, a 2^-ahead of as many bytes is
    fetched into the cache from where the caller says. The strides of the first ``wide`` loops depend on the size of a map, and so
    do the output and the residual vectors, which lie in blocks ``planes`` elements apart (0: they do not).
    """

    pixels: tuple[int, ...]
    places: tuple[int, ...]
    vectors: tuple[int, ...]
    loops: tuple[Loop, ...]
    steps: tuple[int, ...]
    residual: tuple[int, ...] = ()
    residual_vectors: tuple[int, ...] = ()
    activation: Activation = Activation()
    tail: tuple[int, ...] = ()
    weight_step: int = 0
    valid: int = 0
    bias: bool = True
    ahead: int | None = None
    wide: int = 1
    planes: tuple[int, int] = (0, 0)

    def registers(self) -> int:
        """Vector registers the tile needs: accumulators, a weight per output vector and a broadcast."""
        return len(self.pixels) * len(self.vectors) + len(self.vectors) + 1

    def lines_ahead(self, lanes: int) -> int:
        """Lines of a cache that are fetched while the weights of one step of the loops are read; one at least."""
        assert self.ahead is not None
        return max(1, (4 * lanes * len(self.steps) * len(self.vectors) >> self.ahead) // LINE)


def emit_tile(e: Emitter, tile: Tile, x: Value, w: Value, b: Value, r: Value, y: Value, ahead: Value | None = None) -> None:
    """Write the tile's code: initialise with the bias, sum over k, add the residual, activate and store."""
    carried = [w, *first_sums(e, tile, b)]

    def inner(x: Value, values: list[Value]) -> list[Value]:
        if ahead is not None and tile.ahead is not None:
            _fetch(e, tile, w, values[0], ahead)
        return accumulate(e, tile, tile.steps, x, values)

    if tile.loops:
        carried = nest(e, tile.loops, x, carried, inner)
    emit_results(e, tile, accumulate(e, tile, tile.tail, x, carried)[1:], r, y, _slopes(e, tile, b))


def _fetch(e: Emitter, tile: Tile, start: Value, here: Value, ahead: Value) -> None:
    """Fetch a share of what comes next, as far behind ``ahead`` as that share of the way from ``start`` to ``here``."""
    assert tile.ahead is not None
    b = e.builder
    word = ir.IntType(8 * e.target.pointer_bytes)
    done = b.lshr(b.sub(b.ptrtoint(here, word), b.ptrtoint(start, word)), ir.Constant(word, tile.ahead))
    place = b.gep(b.bitcast(ahead, ir.IntType(8).as_pointer()), [done])
    for line in range(tile.lines_ahead(e.lanes)):
        e.fetch(e.at(place, line * LINE))


def first_sums(e: Emitter, tile: Tile, b: Value) -> list[Value]:
    """What the sums [pixel][vector] begin with: the bias, or zeros."""
    return [e.load(b, v * e.lanes) if tile.bias else e.constant(0.0) for v in range(len(tile.vectors))] * len(tile.pixels)


def _slopes(e: Emitter, tile: Tile, b: Value) -> list[Value]:
    """The slopes of each output vector; none for an activation that has none."""
    count = len(tile.vectors)
    return [e.load(b, (count + v) * e.lanes) for v in range(count)] if tile.activation.sloped else []


def emit_results(e: Emitter, tile: Tile, total: list[Value], r: Value, y: Value, slopes: Sequence[Value] = ()) -> None:
    """Write what follows the sums: residual, activation (with the ``slopes`` of each output vector, if any), stores."""
    count = len(tile.vectors)
    for p, place in enumerate(tile.places):
        for v, vector in enumerate(tile.vectors):
            lanes = tile.valid if tile.valid and v == count - 1 else e.lanes
            value = total[p * count + v]
            if tile.residual:
                value = e.add(value, e.load_first(e.at(r, _sum(e, tile.residual_vectors[v], tile.residual[p])), lanes))
            e.store_first(tile.activation.apply(e, value, slopes[v] if slopes else None), e.at(y, _sum(e, vector, place)), lanes)


def _sum(e: Emitter, offset: Value | int, place: int) -> Value | int:
    return offset + place if isinstance(offset, int) else e.builder.add(offset, integer(place))


Inner = Callable[[Value, list[Value]], list[Value]]


def nest(e: Emitter, loops: Sequence[Loop], x: Value, carried: list[Value], inner: Inner) -> list[Value]:
    """Write ``loops`` around ``inner(x, carried)``, which returns the values it carries on; x moves by the strides."""
    return _nest(e, loops, 0, x, None, carried, inner)


def _nest(
    e: Emitter, loops: Sequence[Loop], level: int, x: Value, final: Value | None, carried: list[Value], inner: Inner
) -> list[Value]:
    if level == len(loops):
        return inner(x, carried)
    loop = loops[level]
    count: Value | int = loop.count
    if loop.last and final is not None:
        count = e.builder.select(final, integer(loop.last), integer(loop.count))

    def body(index: Value, *values: Value) -> list[Value]:
        here = e.at(x, e.builder.mul(index, integer(loop.stride) if isinstance(loop.stride, int) else loop.stride))
        last = _is_last(e, index, loop.count) if level == 0 else final
        return _nest(e, loops, level + 1, here, last, list(values), inner)

    return e.loop(count, carried, body)


def _is_last(e: Emitter, index: Value, count: int | Value) -> Value:
    final = integer(count - 1) if isinstance(count, int) else e.builder.sub(count, integer(1))
    return e.builder.icmp_signed("==", index, final)


def accumulate(e: Emitter, tile: Tile, steps: tuple[int, ...], x: Value, carried: list[Value]) -> list[Value]:
    """Write the products of ``steps``: ``carried`` is the weights' pointer, then the sums [pixel][vector]; so is the result."""
    w, total, count = carried[0], carried[1:], len(tile.vectors)
    stride = tile.weight_step or count * e.lanes
    inputs = _inputs(e, tile, steps, x)
    for k in range(len(steps)):
        weights = [_weight(e, tile, w, k * stride, v) for v in range(count)]
        for p in range(len(tile.pixels)):
            value = inputs(k, p)
            for v in range(count):
                total[p * count + v] = e.fma(value, weights[v], total[p * count + v])
    return [e.at(w, len(steps) * stride), *total]


def _inputs(e: Emitter, tile: Tile, steps: tuple[int, ...], x: Value) -> Callable[[int, int], Value]:
    """Step k of pixel p in every lane: a broadcast from memory, or a lane of several steps loaded at once."""
    together: dict[int, list[Value]] = {}

    def value(k: int, p: int) -> Value:
        first = k - k % e.lanes
        neighbours = tuple(range(steps[first], steps[first] + e.lanes))
        if not e.target.multiplies_by_lane or steps[first : first + e.lanes] != neighbours:
            return e.broadcast(x, tile.pixels[p] + steps[k])
        if first not in together:
            together[first] = [e.load(x, pixel + steps[first]) for pixel in tile.pixels]
        vector = together[first][p]
        return e.shuffle(vector, vector, [k % e.lanes] * e.lanes)

    return value


def _weight(e: Emitter, tile: Tile, w: Value, offset: int, v: int) -> Value:
    lanes = tile.valid if tile.weight_step and tile.valid and v == len(tile.vectors) - 1 else e.lanes
    return e.load_first(e.at(w, offset + v * e.lanes), lanes)


def tile_function(target: Target, tile: Tile) -> Any:
    """The tile as a function ``(x, w, b, r, y)`` that numba kernels call; r is ignored without a residual."""

    def emit(e: Emitter, x: Value, w: Value, b: Value, r: Value, y: Value) -> None:
        emit_tile(e, tile, x, w, b, r, y)

    return vector_function(target, 5, emit)


def open_tile_function(target: Target, tile: Tile) -> Any:
    """The tile as a function ``(x, w, b, r, y, ahead, count, *numbers)``, one for all that differ in the count of the outermost

    loop and in what ``open_numbers`` takes from them.
    """
    first, inner = replace(tile.loops[0], count=0, stride=0), list(tile.loops[1:])
    if tile.wide > 1:
        inner[0] = replace(inner[0], stride=0)
    vectors, added = _in_planes(tile.vectors, tile.planes[0]), _in_planes(tile.residual_vectors, tile.planes[1])
    rest = replace(tile, loops=(), vectors=(0,) * len(vectors), residual_vectors=(), planes=(0, 0))

    def emit(
        e: Emitter, x: Value, w: Value, b: Value, r: Value, y: Value, ahead: Value, count: Value, step: Value, row: Value,
        plane: Value, other: Value,
    ) -> None:  # fmt: skip
        loops = [replace(first, count=count, stride=step), *inner]
        if rest.wide > 1:
            loops[1] = replace(loops[1], stride=row)
        places, places_added = (_places(e, pairs, size) for pairs, size in ((vectors, plane), (added, other)))
        emit_tile(e, replace(rest, loops=tuple(loops), vectors=places, residual_vectors=places_added), x, w, b, r, y, ahead)

    return vector_function(target, 11, emit)


def open_numbers(tile: Tile) -> tuple[int, int, int, int]:
    """The strides of two loops of x, and the elements between blocks of y and r, as ``open_tile_function`` takes them."""
    step = int(tile.loops[0].stride)
    row = int(tile.loops[1].stride) if tile.wide > 1 else 0
    to, added = (p if _spread(v, p) else 0 for v, p in zip((tile.vectors, tile.residual_vectors), tile.planes, strict=True))
    return step, row, to, added


def _spread(vectors: Sequence[int], plane: int) -> bool:
    return bool(plane) and any(v >= plane for v in vectors)


def _in_planes(vectors: Sequence[int], plane: int) -> tuple[tuple[int, int], ...]:
    """Each offset as a number of planes and what is left."""
    return tuple(divmod(v, plane) if plane else (0, v) for v in vectors)


def _places(e: Emitter, pairs: Sequence[tuple[int, int]], plane: Value) -> tuple[Value | int, ...]:
    return tuple(_sum(e, e.builder.mul(plane, integer(q)), rest) if q else rest for q, rest in pairs)
