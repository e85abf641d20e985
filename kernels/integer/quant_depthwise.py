"""Integer depthwise convolution in the blocked layout, by byte permutation.

Four neighbouring pixels of a block of 16 channels fill a register; one permutation brings the four bytes of each channel side by
side, so that a dot product sums up to four taps of a window row for 16 channels. Taps that do not fill the four have weight zero,
which lets two neighbouring outputs of a window of three share a register.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site
from edgeopt.kernels.conv.conv_depthwise import Planes, make_planes
from edgeopt.kernels.emit.emit_bytes import flip
from edgeopt.kernels.emit.emitter import I8, Emitter, Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_conv import halo
from edgeopt.kernels.integer.quant_operands import RESIDUAL, centred, ending, flipped, require_bytes, seen_zero, x_zero
from edgeopt.kernels.integer.requantize import HEADER, Requantize, emit_end, parameters
from edgeopt.kernels.walk.plane_window import PlaneWindow, plane_window
from edgeopt.target import Target

GROUP = 4  # taps in a dot product, pixels in a register
MOST_PIXELS = 16  # of a tile; chosen by hand


@dataclass(frozen=True, order=True)
class Piece:
    """Taps ``first`` .. ``first + count`` of a window row, which lie ``shift`` pixels into the register they are read from."""

    first: int
    count: int
    shift: int


@dataclass(frozen=True)
class Slide:
    """What a tile computes: ``reads[p]`` are (pixel the register begins at, piece) of output pixel p; offsets count bytes."""

    reads: tuple[tuple[tuple[int, Piece], ...], ...]
    pieces: tuple[Piece, ...]
    rows: int
    row: int
    dilation: int
    block: int
    end: Requantize
    flipped: bool

    @property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """(first, count) of the taps that are stored together: pieces of one group differ by a shift alone."""
        return tuple(dict.fromkeys((piece.first, piece.count) for piece in self.pieces))


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantConv node whose groups hold one channel. Raises Declined for others."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a QuantConv node whose groups hold one channel. Raises Declined for others."""
    x, y, target = site.given(0), site.outputs[0], site.target
    require_bytes(x)
    weight = centred(site, 0)
    window = _window(site, weight)
    width = site.outputs[0].shape[3]
    pixels = _pixels(width)
    start = x.layout.halo[1] - window.pads[1]
    reads = _reads(window, pixels, x.row - start - (width - pixels) * window.strides[1])
    how, numbers = ending(site, weight, 0, seen_zero(site))
    pieces = tuple(sorted({piece for parts in reads for _, piece in parts}))
    slide = Slide(
        reads, pieces, window.kernel[0], x.row * x.layout.block, window.dilations[0], x.layout.block, how, flipped(site)
    )
    planes = make_planes(target, x, y, window, 0)
    vectors = y.blocks * y.layout.block // target.lanes
    firsts = [v * target.lanes for v in range(vectors)]
    operands: dict[str, Operand] = {
        "x": Input(0),
        "weights": Packed(pack(weight, slide, vectors, target)),
        "numbers": Packed(parameters(numbers, firsts, target.lanes)),
        "y": Output(),
    }
    run = vector_function(target, 4, lambda e, x, w, b, y: _emit(e, slide, x, w, b, y))
    weights, words = slide.rows * len(slide.groups) * target.lanes, HEADER + 2 * target.lanes
    function = walk_planes(run, planes, pixels, slide.row, weights, words)
    per = -(-planes.height // planes.run)
    return Prepared(function, operands, x.shape[0] * vectors * per, per)


def _window(site: Site, weight: Array) -> PlaneWindow:
    x, y, target = site.given(0), site.outputs[0], site.target
    if target.dot4 != "vpdpbusd" or target.lookup != "vpermb" or target.lanes != 16:
        raise Declined("the target does not permute bytes of its widest register")
    if x.layout.block != target.lanes or y.layout.block != target.lanes:
        raise Declined("its operands do not lie in blocks of a vector")
    window = depthwise_window(site, weight)
    if window.dilations[1] != 1 or x.row < GROUP:
        raise Declined("a dilated or a narrow row")
    return window


def depthwise_window(site: Site, weight: Array) -> PlaneWindow:
    """The window of an integer depthwise convolution. Raises Declined for others, with a residual, and without the border."""
    x = site.given(0)
    if weight.ndim != 4 or weight.shape[1] != 1 or not weight.shape[0] == site.node.integer("group", 1) == x.shape[1]:
        raise Declined("it is not depthwise")
    window = plane_window(site.node, weight.shape[2:])
    if site.optional(RESIDUAL) is not None:
        raise Declined("it adds a residual")
    if any(window.halo) and x.layout.fill != x_zero(site.node):
        raise Declined("the border of its input does not hold its zero point")
    return window


def _pixels(width: int) -> int:
    """Pixels of a tile: few are computed twice, and results are stored four pixels at a time."""
    options = range(1, min(width, MOST_PIXELS) + 1)
    return min(options, key=lambda p: (-(-width // p) * (-(-p // GROUP) * GROUP + 4), -p))


def _reads(window: PlaneWindow, pixels: int, length: int) -> tuple[tuple[tuple[int, Piece], ...], ...]:
    """The registers of each output pixel of a tile whose last instance may read ``length`` pixels of a row."""
    taps, stride = window.kernel[1], window.strides[1]
    together = (GROUP - taps) // stride + 1 if taps <= GROUP else 1
    made = []
    for p in range(pixels):
        parts = []
        for first in range(0, taps, GROUP):
            count = min(GROUP, taps - first)
            begin = min(p // together * together * stride + first, length - GROUP)
            parts.append((begin, Piece(first, count, p * stride + first - begin)))
        made.append(tuple(parts))
    return tuple(made)


def pack(weight: Array, slide: Slide, vectors: int, target: Target) -> Array:
    """``[vector][window row][group][lane]``: words of the taps of a group, the first one in the lowest byte."""
    made = np.zeros((vectors * target.lanes, slide.rows, len(slide.groups), GROUP), np.int8)
    for i, (first, count) in enumerate(slide.groups):
        made[: weight.shape[0], :, i, :count] = weight[:, 0, :, first : first + count]
    words = made.view("<i4").reshape(vectors, target.lanes, slide.rows, len(slide.groups))
    return np.ascontiguousarray(words.transpose(0, 2, 3, 1))


def _emit(e: Emitter, slide: Slide, x: Value, w: Value, b: Value, y: Value) -> None:
    kind = ir.VectorType(I8, 4 * e.lanes)
    order = ir.Constant(kind, [pixel * e.lanes + channel for channel in range(e.lanes) for pixel in range(GROUP)])
    bias = e.load_as(e.int_vector, b, HEADER)
    total = [bias] * len(slide.reads)
    for row in range(slide.rows):
        weights = _weights(e, slide, w, row)
        line = row * slide.dilation * slide.row
        registers: dict[int, Value] = {}
        for p, parts in enumerate(slide.reads):
            for begin, piece in parts:
                if begin not in registers:
                    registers[begin] = _taps(e, slide, e.load_as(kind, x, line + begin * slide.block), order)
                total[p] = e.dot4(total[p], registers[begin], weights[piece])
    multiplier = e.builder.bitcast(e.load_as(e.int_vector, b, HEADER + e.lanes), e.vector)
    for first in range(0, len(total), 4):
        part = total[first : first + 4]
        places = [(first + i) * slide.block for i in range(len(part))]
        emit_end(e, slide.end, part, [multiplier] * len(part), b, [], y, places)


def _weights(e: Emitter, slide: Slide, w: Value, row: int) -> dict[Piece, Value]:
    """The taps of a window row, moved to the bytes of the pixels that they meet."""
    kind, made = ir.VectorType(I8, 4 * e.lanes), dict[Piece, Value]()
    for piece in slide.pieces:
        place = row * len(slide.groups) + slide.groups.index((piece.first, piece.count))
        words = e.load_as(e.int_vector, w, place * e.lanes)
        moved = e.builder.shl(words, ir.Constant(e.int_vector, [8 * piece.shift] * e.lanes)) if piece.shift else words
        made[piece] = e.builder.bitcast(moved, kind)
    return made


def _taps(e: Emitter, slide: Slide, codes: Value, order: Value) -> Value:
    """Four bytes of each channel side by side, unsigned."""
    moved = e.lookup(codes, order)
    return flip(e, moved) if slide.flipped else moved


def walk_planes(run: Any, planes: Planes, pixels: int, x_row: int, weights: int, words: int) -> Callable[..., None]:
    """The kernel ``(x, w, b, y, begin, end)`` that calls ``run(x, w, b, y)`` for every tile of ``pixels`` pixels.

    A plane is a block of channels with ``weights`` weights and ``words`` words of parameters; chunks are ``planes.run`` rows.
    """
    height, width, rows, blocks = planes.height, planes.width, planes.run, planes.vectors
    block, stride, pad, step = planes.block, planes.stride, planes.pad, planes.step
    x_plane, x_origin, y_plane, y_origin, y_row = (
        planes.x_plane, planes.x_origin, planes.y_plane, planes.y_origin, planes.y_row,
    )  # fmt: skip
    parts = -(-height // rows)

    def convolve(x: Any, w: Any, b: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            plane, first = chunk // parts, chunk % parts * rows
            channel = plane % blocks
            source, made = offset(x, plane * x_plane + x_origin), offset(y, plane * y_plane + y_origin)
            wc, bc = offset(w, channel * weights), offset(b, channel * words)
            for i in range(first, first + rows if first + rows < height else height):
                line = offset(source, (i * stride - pad) * x_row)
                for t in range(0, width, pixels):
                    j = t if t < width - pixels else width - pixels
                    run(offset(line, j * step), wc, bc, offset(made, i * y_row + j * block))

    return convolve


KERNEL = Kernel("quant_depthwise", ("QuantConv",), select, layout="blocked", hot=True, halo=halo, fill=x_zero)
