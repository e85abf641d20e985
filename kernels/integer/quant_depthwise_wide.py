"""Integer depthwise convolution in the blocked layout where bytes of a wide register cannot be permuted, or a row is dilated.

A tile is some neighbouring pixels of a row for one block of channels. Two taps of a window row are taken together:

* x86: their codes are interleaved channel by channel and widened, so that one vpmaddwd adds both products in 32 bits; an
  interleaved pair serves every output pixel whose window it lies in.
* Arm: smull and smlal add both products in 16 bits, saddw adds that to the sums. Two products of signed bytes fit unless all four
  are -128; then each is added by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site
from edgeopt.kernels.conv.conv_depthwise import make_planes
from edgeopt.kernels.emit.emitter import I8, I16, Emitter, Value, integer
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_conv import halo
from edgeopt.kernels.integer.quant_depthwise import depthwise_window, walk_planes
from edgeopt.kernels.integer.quant_dot import dot_form, for_words, kept, meets_limit, multiply_words, widened
from edgeopt.kernels.integer.quant_operands import (
    WIDE_LIMITS,
    centred,
    ending,
    flipped,
    require_result,
    seen_zero,
    tile_site,
    x_zero,
)
from edgeopt.kernels.integer.requantize import HEADER, Requantize, emit_end, parameters

MOST_PIXELS = 8  # of a tile; chosen by hand
BESIDES = 6  # registers for codes and products, about


@dataclass(frozen=True)
class Slide:
    """``pixels`` outputs, ``stride`` apart in x, of a window of ``rows`` x ``taps``, ``row`` bytes and ``dilation`` pixels apart.

    ``block`` channels; ``signed`` codes of x as they are multiplied, after ``flipped`` changed their sign; ``limit``: a weight
    may be -128; ``wide``: codes of x are int16.
    """

    pixels: int
    stride: int
    rows: int
    taps: int
    row: int
    dilation: int
    block: int
    end: Requantize
    signed: bool
    flipped: bool
    limit: bool
    wide: bool


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantConv node whose groups hold one channel. Raises Declined for others."""
    site = tile_site(site, 0)
    if dot_form(site.target) == "spread":  # four taps do not lie side by side; two are multiplied as words
        site = replace(site, target=for_words(site.target))
    x, y, target, weight = site.given(0), site.outputs[0], site.target, centred(site, 0)
    require_result(y)
    block = x.layout.block
    if not block or block % target.lanes or y.layout.block != block:
        raise Declined("its operands do not lie in blocks of whole vectors")
    window = depthwise_window(site, weight)
    rows, taps = window.kernel
    how, numbers = ending(site, weight, 0, seen_zero(site))
    room = (target.vector_registers - BESIDES - taps) // (block // target.lanes)
    pixels = -(-y.shape[3] // -(-y.shape[3] // max(1, min(MOST_PIXELS, room))))
    signed = (x.type.dtype == "int8") != flipped(site)
    row, dilation = x.row * block * window.dilations[0], window.dilations[1]
    wide, limit = x.type.dtype in WIDE_LIMITS, meets_limit(target, weight)
    slide = Slide(pixels, window.strides[1], rows, taps, row, dilation, block, how, signed, flipped(site), limit, wide)
    planes = replace(make_planes(target, x, y, window, 0), vectors=y.blocks)
    packed = _pack(weight, y.blocks * block, block, dot_form(target) == "words")
    run = vector_function(target, 4, lambda e, x, w, b, y: _emit(e, slide, x, w, b, y))
    function = walk_planes(run, planes, pixels, x.row * block, packed[0].size, HEADER + 2 * block)
    words = parameters(numbers, range(0, y.blocks * block, block), block)
    chunks = x.shape[0] * y.blocks * -(-planes.height // planes.run)
    copies, source = widened(target, x) if wide else ((), Input(0))
    return (*copies, KernelCall(function, (source, Packed(packed), Packed(words), Output()), (), chunks))


def _pack(weight: Array, channels: int, block: int, paired: bool) -> Array:
    """``[block][window row][pair][channel][2]``, a missing second tap zero; or ``[block][window row][tap][channel]``."""
    outputs, _, rows, taps = weight.shape
    made = np.zeros((channels, rows, taps + taps % 2 if paired else taps), np.int8)
    made[:outputs, :, :taps] = weight[:, 0]
    if not paired:
        return made.reshape(-1, block, rows, taps).transpose(0, 2, 3, 1)
    return made.reshape(-1, block, rows, made.shape[2] // 2, 2).transpose(0, 2, 3, 1, 4).astype(np.int16)


def _emit(e: Emitter, slide: Slide, x: Value, w: Value, b: Value, y: Value) -> None:
    parts = slide.block // e.lanes
    bias = [e.load_as(e.int_vector, b, HEADER + v * e.lanes) for v in range(parts)]
    line = _paired_line if dot_form(e.target) == "words" else _long_line
    size = slide.block * (slide.taps + slide.taps % 2 if line is _paired_line else slide.taps)

    def body(index: Value, *sums: Value) -> list[Value]:
        here, there = (e.at(p, e.builder.mul(index, integer(step))) for p, step in ((x, slide.row), (w, size)))
        return line(e, slide, here, there, list(sums))

    total = e.loop(slide.rows, bias * slide.pixels, body)
    numbers = [e.load_as(e.int_vector, b, HEADER + slide.block + v * e.lanes) for v in range(parts)]
    factors = [e.builder.bitcast(n, e.vector) for n in numbers] * slide.pixels
    places = [i * e.lanes for i in range(len(total))]
    for first in range(0, len(total), 4):
        part = slice(first, first + 4)
        emit_end(e, slide.end, total[part], factors[part], b, [], y, places[part])


class _Columns:
    """The codes of the input pixels of a window row, each loaded once."""

    def __init__(self, e: Emitter, slide: Slide, line: Value) -> None:
        self.e, self.slide, self.line = e, slide, line
        self.last = (slide.pixels - 1) * slide.stride + (slide.taps - 1) * slide.dilation
        self._codes: dict[int, Value] = {}
        self._pairs: dict[int, Value] = {}

    def codes(self, column: int) -> Value:
        """The block at ``column``."""
        if column not in self._codes:
            kind = ir.VectorType(I16 if self.slide.wide else I8, self.slide.block)
            codes = self.e.load_as(kind, self.line, column * self.slide.block)
            flip = ir.Constant(codes.type, [-128] * codes.type.count)
            self._codes[column] = self.e.builder.xor(codes, flip) if self.slide.flipped else codes
        return self._codes[column]

    def pair(self, column: int) -> Value:
        """The block at ``column`` and that of the next tap, channel by channel, as int16; the last with itself."""
        if column not in self._pairs and self._permutes():
            self._pairs[column] = self._permuted(column)
        if column not in self._pairs:
            e, block, after = self.e, self.slide.block, column + self.slide.dilation
            first, second = self.codes(column), self.codes(after if after <= self.last else column)
            both = e.shuffle(first, second, [i // 2 + i % 2 * block for i in range(2 * block)])
            widen = e.builder.sext if self.slide.signed else e.builder.zext
            self._pairs[column] = both if self.slide.wide else widen(both, ir.VectorType(I16, 2 * block))
        return self._pairs[column]

    def _permutes(self) -> bool:
        """True when one byte permutation interleaves two neighbouring blocks and widens them."""
        unsigned, neighbours = not self.slide.signed, self.slide.dilation == 1 and self.last > 0
        eight = self.slide.block == self.e.lanes == 8 and not self.slide.wide
        return unsigned and neighbours and eight and self.e.target.lookup == "pshufb"

    def _permuted(self, column: int) -> Value:
        e, block = self.e, self.slide.block
        first = min(column, self.last - 1)
        codes = e.load_as(ir.VectorType(I8, 2 * block), self.line, first * block)
        spread = e.shuffle(codes, codes, [i % (2 * block) for i in range(4 * block)])
        shift = (column - first) * block
        picks = [c + shift + half * (block - shift) for c in range(block) for half in range(2)]
        order = [p for pick in picks for p in (pick, 128)]  # 128 makes a byte zero
        moved = e.lookup(spread, ir.Constant(spread.type, order))
        return e.builder.bitcast(moved, ir.VectorType(I16, 2 * block))


def _paired_line(e: Emitter, slide: Slide, line: Value, w: Value, total: list[Value]) -> list[Value]:
    """Two taps at once, in 32 bits. A vector of sums holds the whole block."""
    size, parts = 2 * slide.block, slide.block // e.lanes
    columns, kind = _Columns(e, slide, line), ir.VectorType(I16, size)
    weights = [e.load_as(kind, w, q * size) for q in range(-(-slide.taps // 2))]
    for p in range(slide.pixels):
        for q, weight in enumerate(weights):
            pair = columns.pair(p * slide.stride + 2 * q * slide.dilation)
            for v in range(parts):
                picks = range(2 * v * e.lanes, 2 * (v + 1) * e.lanes)
                products = multiply_words(e, *(e.shuffle(a, a, picks) if parts > 1 else a for a in (pair, weight)))
                total[p * parts + v] = kept(e, e.builder.add(total[p * parts + v], products))
    return total


def _long_line(e: Emitter, slide: Slide, line: Value, w: Value, total: list[Value]) -> list[Value]:
    """Two taps at once, in 16 bits."""
    columns, parts, together = _Columns(e, slide, line), slide.block // e.lanes, 1 if slide.limit else 2
    kind, words = ir.VectorType(I8, slide.block), ir.VectorType(I16, slide.block)
    weights = [e.load_as(kind, w, k * slide.block) for k in range(slide.taps)]
    for p in range(slide.pixels):
        for first in range(0, slide.taps, together):
            products = [
                e.builder.mul(
                    *(e.builder.sext(a, words) for a in (columns.codes(p * slide.stride + k * slide.dilation), weights[k]))
                )
                for k in range(first, min(first + together, slide.taps))
            ]
            made = products[0] if len(products) == 1 else e.builder.add(*products)
            for v in range(parts):
                part = e.shuffle(made, made, range(v * e.lanes, (v + 1) * e.lanes))
                total[p * parts + v] = kept(e, e.builder.add(total[p * parts + v], e.builder.sext(part, e.int_vector)))
    return total


KERNEL = Kernel("quant_depthwise_wide", ("QuantConv",), select, layout="blocked", hot=True, halo=halo, fill=x_zero)
