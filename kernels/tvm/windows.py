"""Windows over few channels: depthwise and narrowly grouped convolution, and blocked pools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgeopt.kernels.conv.conv_depthwise import Depthwise, Planes
from edgeopt.kernels.pool.pool_blocked import Pool
from edgeopt.kernels.tvm.activation import activated, greater
from edgeopt.kernels.tvm.writer import Value, Writer, constant, fma, let, quotient, remainder, shuffle, smaller, splat, written
from edgeopt.kernels.walk.window_tile import WindowTile
from edgeopt.target import Target

LOWEST = float("-inf")


def depthwise(form: Depthwise, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """(x, w, b, r, y): sums of products with the weights of each vector of channels."""
    tile, planes = form.tile, form.planes
    size, numbers = tile.rows * len(tile.columns[0]) * tile.channels * target.lanes, 2 if tile.activation.sloped else 1

    def body(w: Writer, chunk: Value) -> None:
        plane = let(quotient(chunk, -(-planes.height // planes.run)))
        channel = let(remainder(plane, planes.vectors))
        base = let(_place(w, planes, plane, form.r_plane, form.r_origin))

        def write(source: Value, made: Value, i: Value, j: Value) -> None:
            added = let(base + i * form.r_row + j * planes.block)
            start, *slope = (w.load(w.buffers[2], let((channel * numbers + k) * w.lanes), w.lanes) for k in range(numbers))
            sums = _sums(w, tile, source, i * planes.stride - planes.pad, start, (w.buffers[1], channel * size))
            for p, value in enumerate(sums):
                if tile.residual:
                    value = value + w.load(w.buffers[3], added + tile.residual[p], w.lanes)
                w.store(w.buffers[4], activated(tile.activation, value, *slope), made + p * tile.step)

        _rows(w, planes, chunk, plane, write)

    return written(target, dtypes, body)


def pool(form: Pool, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """(x, counts, y): the maximum of each window, or its sum times one over its count."""
    planes, tiles = form.planes, form.tiles
    last = planes.width - planes.pixels

    def body(w: Writer, chunk: Value) -> None:
        plane = let(quotient(chunk, -(-planes.height // planes.run)))

        def write(source: Value, made: Value, i: Value, j: Value) -> None:
            def tile(which: WindowTile) -> Callable[[], None]:
                return lambda: _pooled(w, which, source, i * planes.stride - planes.pad, made, i * planes.width + j)

            if tiles[0] == tiles[1] == tiles[2]:
                return tile(tiles[1])()
            middle = lambda: w.either(j.equal(last), tile(tiles[2]), tile(tiles[1]))  # noqa: E731
            return w.either(j.equal(0), tile(tiles[0]), middle)

        _rows(w, planes, chunk, plane, write)

    return written(target, dtypes, body)


def _pooled(w: Writer, tile: WindowTile, source: Value, row: Value, made: Value, place: Value) -> None:
    start = constant(LOWEST if tile.kind == "max" else 0.0, w.lanes)
    for p, value in enumerate(_sums(w, tile, source, row, start, None)):
        if tile.kind == "mean":
            value = value * splat(w.load(w.buffers[1], place + p), w.lanes)
        w.store(w.buffers[2], value, made + p * tile.step)


def _rows(w: Writer, planes: Planes, chunk: Value, plane: Value, write: Callable[[Value, Value, Value, Value], None]) -> None:
    """``write(source, made, row, column)`` for every tile of the rows of a chunk."""
    first = let(remainder(chunk, -(-planes.height // planes.run)) * planes.run)
    x, y = (let(_place(w, planes, plane, *at)) for at in ((planes.x_plane, planes.x_origin), (planes.y_plane, planes.y_origin)))
    with w.loop(first, smaller(first + planes.run, planes.height)) as i, w.loop(-(-planes.width // planes.pixels)) as t:
        j = let(smaller(t * planes.pixels, planes.width - planes.pixels))
        write(let(x + j * planes.step), let(y + i * planes.y_row + j * planes.block), i, j)


def _place(w: Writer, planes: Planes, plane: Value, size: int, origin: int) -> Value:
    """Where a plane of ``size`` begins, and within its block the vector of channels."""
    return quotient(plane * w.lanes, planes.block) * size + origin + remainder(plane * w.lanes, planes.block)


def _sums(w: Writer, tile: WindowTile, source: Value, row: Value, start: Value, weights: tuple[Any, Value] | None) -> list[Value]:
    """What the pixels of a tile make of their windows, of which the first row is ``row``."""
    count, taps = len(tile.columns), len(tile.columns[0])
    totals, first = w.local(count * w.lanes), let(row)
    for p in range(count):
        w.store(totals, start, p * w.lanes)
    with w.loop(tile.rows, kept=True) as i:
        number = first + i * tile.dilation
        if tile.kind == "max":
            number = _inside(number, tile.height)
        line = let(source + number * tile.row)
        for channel in range(tile.channels):
            factors = []
            if weights is not None:
                at = let(weights[1] + i * (taps * tile.channels * w.lanes))
                places = [(k * tile.channels + channel) * w.lanes for k in range(taps)]
                factors = [let(w.load(weights[0], at + place, w.lanes)) for place in places]
            _line(w, tile, line, channel, factors, totals)
    return [w.load(totals, p * w.lanes, w.lanes) for p in range(count)]


def _inside(number: Value, height: int) -> Value:
    low = greater(number, number * 0)
    return smaller(low, height - 1)


def _line(w: Writer, tile: WindowTile, line: Value, channel: int, factors: Sequence[Value], totals: Any) -> None:
    for column in sorted({c for taps in tile.columns for c in taps}):
        value = let(w.load(w.buffers[0], line + column, w.lanes))
        if tile.channels > 1:
            value = let(shuffle(value, [lane // tile.channels * tile.channels + channel for lane in range(w.lanes)]))
        for p, taps in enumerate(tile.columns):
            for k, tap in enumerate(taps):
                if tap == column:
                    total = w.load(totals, p * w.lanes, w.lanes)
                    w.store(totals, _combined(tile, value, factors[k] if factors else None, total), p * w.lanes)


def _combined(tile: WindowTile, value: Value, weight: Value | None, total: Value) -> Value:
    if tile.kind == "max":
        return greater(total, value)
    return total + value if weight is None else fma(value, weight, total)
