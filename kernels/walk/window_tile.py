"""The register tile of operations that slide a window over few channels: depthwise and narrowly grouped convolution, and pools.

A tile is some neighbouring output pixels of one row, for one vector of channels. Each input column that the tile's windows
touch is loaded once per window row and enters all the pixels that see it. Where a group has several channels, all of them lie
in the vector, and each is spread over the lanes of its group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

TOGETHER = 4  # channels of a group in one pass over the window; their weights stay in registers
LEAST = 4  # pixels of a tile


@dataclass(frozen=True)
class WindowTile:
    """What the tile computes. Offsets count elements.

    ``columns[p][k]`` is the offset in x of tap k of pixel p. Window row i of the window that starts in image row ``r`` is
    ``x + (r + i * dilation) * row``; for ``max`` the row is moved into the image of ``height`` rows, which changes no maximum.
    ``weighted`` sums products with w[i, k] onto the bias; ``mean`` multiplies the sum with b[p]. A group has ``channels``
    neighbouring channels, whose weights follow each other: w[i, k, c]. ``residual`` is the offset in r of each pixel.
    """

    kind: Literal["weighted", "mean", "max"]
    columns: tuple[tuple[int, ...], ...]
    rows: int
    row: int
    dilation: int
    height: int
    step: int
    activation: Activation = Activation()
    channels: int = 1
    residual: tuple[int, ...] = ()


def window_tile_function(target: Target, tile: WindowTile) -> Any:
    """The tile as a function ``(x, w, b, r, y, row)``.

    w is read by ``weighted`` only, b by ``weighted`` and ``mean``, r where there is a residual. Slopes lie behind the bias.
    """

    def emit(e: Emitter, x: Value, w: Value, b: Value, r: Value, y: Value, first: Value) -> None:
        emit_window_tile(e, tile, (x, w, b, r, y), first)

    return vector_function(target, 6, emit)


def emit_window_tile(e: Emitter, tile: WindowTile, pointers: tuple[Value, ...], first: Value) -> None:
    """Write the tile's code: loops over window rows, each for some channels of a group, with an accumulator for each pixel."""
    x, w, b, r, y = pointers
    start = {"weighted": lambda: e.load(b), "mean": lambda: e.constant(0.0), "max": lambda: e.constant(float("-inf"))}
    total: list[Value] = [start[tile.kind]()] * len(tile.columns)
    for channel in range(0, tile.channels, TOGETHER):
        total = e.loop(tile.rows, total, _row(e, tile, x, w, first, range(channel, min(channel + TOGETHER, tile.channels))))
    slope = e.load(b, e.lanes) if tile.activation.sloped else None
    for p, value in enumerate(total):
        scaled = e.mul(value, e.broadcast(b, p)) if tile.kind == "mean" else value
        summed = e.add(scaled, e.load(r, tile.residual[p])) if tile.residual else scaled
        e.store(tile.activation.apply(e, summed, slope), y, p * tile.step)


def _row(e: Emitter, tile: WindowTile, x: Value, w: Value, first: Value, channels: range) -> Callable[..., list[Value]]:
    """The body of the loop over window rows: adds the products of ``channels`` of each group."""
    taps = len(tile.columns[0])

    def body(index: Value, *values: Value) -> list[Value]:
        number = e.builder.add(first, e.builder.mul(index, integer(tile.dilation)))
        line = e.at(x, e.builder.mul(_inside(e, tile, number), integer(tile.row)))
        here = e.at(w, e.builder.mul(index, integer(taps * tile.channels * e.lanes)))
        places = [[(k * tile.channels + c) * e.lanes for k in range(taps)] for c in channels]
        weights = [[e.load(here, place) for place in of] for of in places] if tile.kind == "weighted" else []
        return _line(e, tile, line, channels, weights, list(values))

    return body


def _inside(e: Emitter, tile: WindowTile, number: Value) -> Value:
    if tile.kind != "max":
        return number
    low, high = integer(0), integer(tile.height - 1)
    number = e.builder.select(e.builder.icmp_signed("<", number, low), low, number)
    return e.builder.select(e.builder.icmp_signed(">", number, high), high, number)


def _line(
    e: Emitter, tile: WindowTile, line: Value, channels: range, weights: list[list[Value]], total: list[Value]
) -> list[Value]:
    for column in sorted({c for taps in tile.columns for c in taps}):
        loaded = e.load(line, column)
        for index, channel in enumerate(channels):
            value = _spread(e, tile, loaded, channel)
            for p, taps in enumerate(tile.columns):
                for k, tap in enumerate(taps):
                    if tap == column:
                        total[p] = _combine(e, tile, value, weights[index][k] if weights else None, total[p])
    return total


def _spread(e: Emitter, tile: WindowTile, value: Value, channel: int) -> Value:
    """Channel ``channel`` of each group in all lanes of the group."""
    if tile.channels == 1:
        return value
    return e.shuffle(value, value, [lane // tile.channels * tile.channels + channel for lane in range(e.lanes)])


def _combine(e: Emitter, tile: WindowTile, value: Value, weight: Value | None, total: Value) -> Value:
    if tile.kind == "max":
        return e.maximum(total, value)
    return e.add(total, value) if weight is None else e.fma(value, weight, total)


def pixels_in_tile(target: Target, width: int, weights: int) -> int:
    """Pixels of a tile: as few tiles as the registers allow beside ``weights`` vectors, of equal size.

    Long windows leave few registers; then weights are read for each product rather than pixels one by one.
    """
    room = max(LEAST, target.float_registers - weights - 2)
    return -(-width // -(-width // room))
