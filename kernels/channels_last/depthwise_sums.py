"""Sums of depthwise windows over gathered rows, by what a processor multiplies.

``pairs`` (DSP): four channels of a pixel are a word, which ``sxtb16`` takes apart into two pairs. ``vectors`` (Helium): sixteen
channels; products of 8 bits have 16, and two of them are added before they are widened, where they fit. Vectors of results hold
every fourth channel, as even and odd lanes are taken apart twice. ``single``: one channel after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.channels_last.columns import Columns
from edgeopt.kernels.channels_last.depthwise_vectors import emit_vectors
from edgeopt.kernels.channels_last.ending import Ending, bias, store_sums
from edgeopt.kernels.channels_last.words import Words
from edgeopt.kernels.emit.emitter import I32, Value

Form = Literal["pairs", "vectors", "single"]
HELD = 9  # weights that are kept in registers along a row


@dataclass(frozen=True)
class Taps:
    """A window of ``kernel`` taps over rows of ``channels`` codes a pixel, for ``pixels`` results at a time."""

    form: Form
    kernel: tuple[int, int]
    stride: int
    dilation: int
    channels: int
    across: int
    pixels: int
    signed: bool
    few: bool

    @property
    def reach(self) -> int:
        """Columns that a tile reads."""
        return (self.pixels - 1) * self.stride + (self.kernel[1] - 1) * self.dilation + 1

    @property
    def tiles(self) -> int:
        """Tiles in a row."""
        return -(-self.across // self.pixels)

    @property
    def width(self) -> int:
        """Columns that all tiles of a row read."""
        return (self.tiles - 1) * self.pixels * self.stride + self.reach


def taps_of(form: Form, g: Columns, across: int, few: bool) -> Taps:
    """The taps of a layer with rows of ``across`` results; ``few``: registers do not hold the weights of a channel."""
    window = g.window
    pixels = 2 if form == "pairs" and across % 2 == 0 and window.strides[1] == 1 else 1
    return Taps(
        form, window.kernel, window.strides[1], window.dilations[1], g.channels, across, pixels, g.signed or g.flipped, few
    )


def arranged(taps: Taps, weight: Array) -> Array:
    """Weights [C, 1, h, w] by groups of channels, in each of them by taps."""
    flat = weight.reshape(weight.shape[0], -1)
    if taps.form == "single":
        return flat
    if taps.form == "vectors":
        padded = np.zeros((-(-flat.shape[0] // 16) * 16, flat.shape[1]), np.int8)
        padded[: flat.shape[0]] = flat
        return np.ascontiguousarray(padded.reshape(-1, 16, flat.shape[1]).transpose(0, 2, 1))
    groups = np.stack([flat[first : first + 4] for first in group_starts(taps)])  # [groups, 4, taps]
    return np.ascontiguousarray(groups[:, [0, 2, 1, 3]].transpose(0, 2, 1)).astype(np.int16)


def group_starts(taps: Taps) -> list[int]:
    """The first channel of each group of four; the last one ends with the channels."""
    return [min(first, taps.channels - 4) for first in range(0, taps.channels, 4)]


def emit_pixels(w: Words, taps: Taps, end: Ending, lines: Sequence[Value], weights: Value, b: Value, y: Value, r: Value) -> None:
    """One row of results at y from the rows of a window, ``lines``; r is the row of the residual."""
    if taps.form == "vectors":
        return emit_vectors(w, taps, end, lines, weights, b, y)
    size, count = (4, 4 * taps.kernel[0] * taps.kernel[1] * 2) if taps.form == "pairs" else (1, taps.kernel[0] * taps.kernel[1])

    def group(index: Value, there: Value) -> list[Value]:
        channel = w.mul(index, size)
        if taps.channels % size:
            channel = w.least(channel, taps.channels - size)
        _along(w, taps, end, [w.at(line, channel) for line in lines], there, b, channel, (y, r))
        return [w.at(there, count)]

    w.loop(-(-taps.channels // size), [weights], group)
    return None


def _along(
    w: Words, taps: Taps, end: Ending, lines: Sequence[Value], weights: Value, b: Value, channel: Value, out: tuple[Value, Value]
) -> None:
    """A group of channels along the row."""
    step = taps.pixels * taps.stride * taps.channels
    held = _held(w, taps, weights)
    y, r = w.at(out[0], w.mul(channel, end.result_bytes)), w.at(out[1], channel)

    def tile(index: Value, y: Value, r: Value, *here: Value) -> list[Value]:
        for chosen in ((0, 2), (1, 3)) if taps.form == "pairs" else ((0,),):
            start = [s for c in chosen for s in [bias(w, b, channel, c)] * taps.pixels]
            if taps.form == "pairs":
                totals = _pairs(w, taps, here, weights, chosen[0], start)
            else:
                totals = _single(w, taps, here, weights, held, start)
            for i, c in enumerate(chosen):
                places = [
                    (w.at(y, (p * taps.channels + c) * end.result_bytes), w.at(r, p * taps.channels + c))
                    for p in range(taps.pixels)
                ]
                store_sums(w, end, totals[i * taps.pixels : (i + 1) * taps.pixels], b, channel, c, places)
        further = taps.pixels * taps.channels
        return [w.at(y, further * end.result_bytes), w.at(r, further), *(w.at(line, step) for line in here)]

    w.loop(taps.tiles, [y, r, *lines], tile)


def _held(w: Words, taps: Taps, weights: Value) -> list[Value]:
    count = taps.kernel[0] * taps.kernel[1]
    if taps.form == "pairs" or taps.few or count > HELD:
        return []
    return [w.code(weights, i, True) for i in range(count)]


def _single(
    w: Words, taps: Taps, lines: Sequence[Value], weights: Value, held: Sequence[Value], start: Sequence[Value]
) -> list[Value]:
    (total,) = start
    for i, line in enumerate(lines):
        for k in range(taps.kernel[1]):
            at = i * taps.kernel[1] + k
            factor = held[at] if held else w.code(weights, at, True)
            total = w.add(total, w.builder.mul(w.code(line, k * taps.dilation * taps.channels, taps.signed), factor))
    return [total]


def _pairs(w: Words, taps: Taps, lines: Sequence[Value], weights: Value, half: int, start: Sequence[Value]) -> list[Value]:
    """Sums of channels ``half`` and ``half + 2``, of each all pixels: more at a time would not stay in registers."""
    totals, load = list(start), w.ordered if taps.channels % 4 == 0 else lambda p, at: w.load(I32, p, at)
    for i, line in enumerate(lines):
        for column in range(taps.reach):
            users = [(p, column - p * taps.stride) for p in range(taps.pixels)]
            users = [(p, k // taps.dilation) for p, k in users if k >= 0 and not k % taps.dilation]
            users = [(p, k) for p, k in users if k < taps.kernel[1]]
            if users:
                codes = w.widened_half(load(line, column * taps.channels), taps.signed, half)
            for p, k in users:
                factors = w.ordered(weights, 8 * (i * taps.kernel[1] + k) + 4 * half)
                for name, at in (("bb", p), ("tt", taps.pixels + p)):
                    totals[at] = w.call(f"llvm.arm.smla{name}", I32, codes, factors, totals[at])
    return totals
