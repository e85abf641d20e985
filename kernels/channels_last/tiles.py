"""A product over the pixels of a map in tiles: pixels are gathered, then all channels of them are summed and finished.

A tile reads all its pixels before it writes a result, and pixels are taken in the order they lie in. The last tile has fewer; its
other sums are computed of what lies in scratch memory and stored behind that: branches around their stores would be lifted above
the sums, which then were taken pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.kernels.channels_last.columns import Columns, gather
from edgeopt.kernels.channels_last.ending import Ending, bias, store_sums
from edgeopt.kernels.channels_last.products import Product, sums, zero_sums
from edgeopt.kernels.channels_last.vector_ending import store_four
from edgeopt.kernels.channels_last.words import Words, word
from edgeopt.kernels.emit.emitter import I32, Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import VectorFunction
from edgeopt.target import Target


@dataclass(frozen=True)
class Tiles:
    """What is computed for each of ``images``: ``rows`` x ``across`` output pixels of ``end.outputs`` channels."""

    columns: Columns
    product: Product
    end: Ending
    rows: int
    across: int

    @property
    def pixels(self) -> int:
        """Output pixels."""
        return self.rows * self.across

    @property
    def scratch_bytes(self) -> int:
        """Bytes for gathered pixels, and for the results of pixels that do not exist."""
        return self.gathered_bytes + (self.end.outputs * self.end.result_bytes if self.pixels % self.product.pixels else 0)

    @property
    def gathered_bytes(self) -> int:
        """Bytes for gathered pixels, to whole words."""
        size = self.product.pixels * self.product.pixel_bytes
        return size + -size % 16


def tiles_function(target: Target, tiles: Tiles, image: tuple[int, int]) -> Callable[..., None]:
    """The kernel ``(x, w, b, r, y, scratch, begin, end)`` whose chunks are images, ``image`` elements of x and y apart."""
    run = VectorFunction(6, lambda builder, *given: _emit(Words(target, builder), tiles, *given))
    x_image, y_image = image

    def convolve(x: Any, w: Any, b: Any, r: Any, y: Any, scratch: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            run(offset(x, chunk * x_image), w, b, offset(r, chunk * y_image), offset(y, chunk * y_image), scratch)

    return convolve


def _emit(w: Words, t: Tiles, x: Value, weights: Value, b: Value, r: Value, y: Value, scratch: Value) -> None:
    x, weights, b, r, y, scratch = map(w.bytes, (x, weights, b, r, y, scratch))
    count = -(-t.pixels // t.product.pixels)

    def tile(index: Value, row: Value, column: Value, out: Value, added: Value) -> list[Value]:
        left = w.builder.sub(word(t.pixels), w.mul(index, t.product.pixels))
        row, column = _gathered(w, t, x, scratch, row, column, left)
        _channels(w, t, scratch, weights, b, out, added, left)
        step = t.product.pixels * t.end.outputs
        return [row, column, w.at(out, step * t.end.result_bytes), w.at(added, step)]

    w.loop(count, [word(0), word(0), y, r], tile)


def _gathered(w: Words, t: Tiles, x: Value, scratch: Value, row: Value, column: Value, left: Value) -> list[Value]:
    """Gather the pixels of a tile; the row and the column of the one behind them."""

    def pixel(index: Value, row: Value, column: Value, place: Value) -> list[Value]:
        gather(w, t.columns, x, place, row, column)
        if t.across == 1:
            return [w.add(row, 1), column, w.at(place, t.product.pixel_bytes)]
        following = w.add(column, 1)
        wraps = w.builder.icmp_unsigned("==", following, word(t.across))
        moved = w.builder.select(wraps, word(0), following)
        return [w.add(row, w.builder.zext(wraps, I32)), moved, w.at(place, t.product.pixel_bytes)]

    count: Value | int = t.product.pixels if t.pixels % t.product.pixels == 0 else w.least(left, t.product.pixels)
    return w.loop(count, [row, column, scratch], pixel)[:2]


def _channels(w: Words, t: Tiles, x: Value, weights: Value, b: Value, out: Value, added: Value, left: Value) -> None:
    p, outputs = t.product, t.end.outputs
    group_bytes, places = p.channels * p.channel_bytes, _places(w, t, x, out, added, left)

    def group(index: Value, there: Value) -> list[Value]:
        channel = w.mul(index, p.channels)
        if p.form == "vectors":
            totals = sums(w, p, x, there, zero_sums(p), t.columns.signed)
            store_four(w, t.end, totals, b, channel, w.at(out, w.mul(channel, t.end.result_bytes)), w.at(added, channel))
            return [w.at(there, group_bytes)]
        if outputs % p.channels:  # the last group ends with the channels
            channel = w.least(channel, outputs - p.channels)
            there = w.at(weights, w.mul(channel, p.channel_bytes))
        start = [s for c in range(p.channels) for s in [bias(w, b, channel, c)] * p.pixels]
        _finish(w, t, sums(w, p, x, there, start, t.columns.signed), b, channel, places)
        return [w.at(there, group_bytes)]

    w.loop(-(-outputs // p.channels), [weights], group)


def _places(w: Words, t: Tiles, scratch: Value, out: Value, added: Value, left: Value) -> list[tuple[Value, Value]]:
    """Where the first results of the pixels of a tile go, and where their residuals are."""
    found = [(out, added)]
    for i in range(1, t.product.pixels):
        y, r = w.at(out, i * t.end.outputs * t.end.result_bytes), w.at(added, i * t.end.outputs)
        if t.pixels % t.product.pixels:
            there = w.builder.icmp_signed(">", left, word(i))
            y = w.builder.select(there, y, w.at(scratch, t.gathered_bytes))
            r = w.builder.select(there, r, added)
        found.append((y, r))
    return found


def _finish(w: Words, t: Tiles, totals: Sequence[Value], b: Value, channel: Value, places: Sequence[tuple[Value, Value]]) -> None:
    p, size = t.product, t.end.result_bytes
    moved = [(w.at(y, w.mul(channel, size)), w.at(r, channel)) for y, r in places]
    for c in range(p.channels):
        here = [(w.at(y, c * size), w.at(r, c)) for y, r in moved]
        store_sums(w, t.end, totals[c * p.pixels : (c + 1) * p.pixels], b, channel, c, here)
