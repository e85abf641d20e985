"""The register tile of operations that slide a window over each channel alone: depthwise convolution and pools.

A tile is some neighbouring output pixels of one row, for one vector of channels. Each input column that the tile's windows
touch is loaded once per window row and enters all the pixels that see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target


@dataclass(frozen=True)
class WindowTile:
    """What the tile computes. Offsets count elements.

    ``columns[p][k]`` is the offset in x of tap k of pixel p. Window row i of the window that starts in image row ``r`` is
    ``x + (r + i * dilation) * row``; for ``max`` the row is moved into the image of ``height`` rows, which changes no maximum.
    ``weighted`` sums products with w[i, k] onto the bias; ``mean`` multiplies the sum with b[p].
    """

    kind: Literal["weighted", "mean", "max"]
    columns: tuple[tuple[int, ...], ...]
    rows: int
    row: int
    dilation: int
    height: int
    step: int
    activation: Activation = Activation()


def window_tile_function(target: Target, tile: WindowTile) -> Any:
    """The tile as a function ``(x, w, b, y, r)``; w is read by ``weighted`` only, b by ``weighted`` and ``mean``."""

    def emit(e: Emitter, x: Value, w: Value, b: Value, y: Value, first: Value) -> None:
        emit_window_tile(e, tile, x, w, b, y, first)

    return vector_function(target, 5, emit)


def emit_window_tile(e: Emitter, tile: WindowTile, x: Value, w: Value, b: Value, y: Value, first: Value) -> None:
    """Write the tile's code: a loop over window rows, with one accumulator for each pixel."""
    start = {"weighted": lambda: e.load(b), "mean": lambda: e.constant(0.0), "max": lambda: e.constant(float("-inf"))}
    taps = len(tile.columns[0])

    def body(index: Value, *values: Value) -> list[Value]:
        number = e.builder.add(first, e.builder.mul(index, integer(tile.dilation)))
        line = e.at(x, e.builder.mul(_inside(e, tile, number), integer(tile.row)))
        here = e.at(w, e.builder.mul(index, integer(taps * e.lanes)))
        weights = [e.load(here, k * e.lanes) for k in range(taps)] if tile.kind == "weighted" else []
        return _line(e, tile, line, weights, list(values))

    total = e.loop(tile.rows, [start[tile.kind]()] * len(tile.columns), body)
    for p, value in enumerate(total):
        scaled = e.mul(value, e.broadcast(b, p)) if tile.kind == "mean" else value
        e.store(tile.activation.apply(e, scaled), y, p * tile.step)


def _inside(e: Emitter, tile: WindowTile, number: Value) -> Value:
    if tile.kind != "max":
        return number
    low, high = integer(0), integer(tile.height - 1)
    number = e.builder.select(e.builder.icmp_signed("<", number, low), low, number)
    return e.builder.select(e.builder.icmp_signed(">", number, high), high, number)


def _line(e: Emitter, tile: WindowTile, line: Value, weights: list[Value], total: list[Value]) -> list[Value]:
    for column in sorted({c for taps in tile.columns for c in taps}):
        value = e.load(line, column)
        for p, taps in enumerate(tile.columns):
            for k, tap in enumerate(taps):
                if tap == column:
                    total[p] = _combine(e, tile, value, weights[k] if weights else None, total[p])
    return total


def _combine(e: Emitter, tile: WindowTile, value: Value, weight: Value | None, total: Value) -> Value:
    if tile.kind == "max":
        return e.maximum(total, value)
    return e.add(total, value) if weight is None else e.fma(value, weight, total)


def pixels_in_tile(target: Target, width: int, taps: int) -> int:
    """Pixels of a tile: as few tiles as the registers allow, of equal size."""
    room = max(1, target.vector_registers - taps - 2)
    return -(-width // -(-width // room))
