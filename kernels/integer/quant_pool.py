"""QuantAveragePool in the blocked layout: codes of a window are summed in 16 bits, one requantisation for each position.

    y = saturate(round((sum of x - taps * x_zero) * x_scale / (count * y_scale)) + y_zero)

The border of x holds its zero point, so that positions outside add nothing; ``count`` of each output position comes from a table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site
from edgeopt.kernels.conv.conv_depthwise import Planes, make_planes
from edgeopt.kernels.emit.emitter import F32, I8, I16, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_operands import limits_alone, per_tensor, require_bytes, x_zero
from edgeopt.kernels.integer.requantize import HEADER, LARGE, Numbers, Requantize, emit_end, parameters
from edgeopt.kernels.pool.pool_blocked import halo, reciprocal_counts
from edgeopt.kernels.walk.plane_window import plane_window
from edgeopt.target import Target

MOST_TAPS = 128  # sums of as many codes fit 16 bits
MOST_PIXELS = 6  # of a tile; chosen by hand


@dataclass(frozen=True)
class Slide:
    """``pixels`` outputs, ``stride`` apart in x, of a window of ``rows`` x ``taps``, ``row`` bytes, ``dilation`` pixels apart."""

    pixels: int
    stride: int
    rows: int
    taps: int
    row: int
    dilation: int
    block: int
    signed: bool
    end: Requantize


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantAveragePool. Raises Declined for other layouts and for windows of more than 128 positions."""
    x, y, node, target = site.given(0), site.outputs[0], site.node, site.target
    require_bytes(x, y)
    block = x.layout.block
    if not block or block % max(8, target.lanes) or y.layout.block != block:
        raise Declined("its operands do not lie in blocks of whole vectors")
    window = plane_window(node, node.integers("kernel_shape"))
    if any(window.halo) and x.layout.fill != x_zero(node):
        raise Declined("the border of its input does not hold its zero point")
    taps = prod(window.kernel)
    if taps > MOST_TAPS:
        raise Declined(f"a window of {taps} positions")
    (x_scale, zero), (y_scale, y_zero) = per_tensor(site, 1), per_tensor(site, 3)
    factors = (reciprocal_counts(node, window, x, y).astype(np.float64) * x_scale / y_scale).astype(np.float32)
    guarded = bool(256 * taps * float(factors.max(initial=0)) >= LARGE)
    limits, limited = limits_alone(node, y.type.dtype)
    how = Requantize(y.type.dtype, "", y_zero != 0, limited, guarded)
    pixels = -(-y.shape[3] // -(-y.shape[3] // MOST_PIXELS))
    row = x.row * block * window.dilations[0]
    signed = x.type.dtype == "int8"
    slide = Slide(pixels, window.strides[1], *window.kernel, row, window.dilations[1], block, signed, how)
    planes = make_planes(target, x, y, window, 0)
    count = x.shape[0] * y.blocks
    words = parameters(Numbers(np.full(block, -taps * zero, np.int32), np.zeros(block), y_zero, limits), [0], block)
    function = _function(target, slide, planes, x.row * block)
    operands = (Input(0), Packed(factors), Packed(words), Output())
    return (KernelCall(function, operands, (), count * -(-planes.height // planes.run)),)


def _function(target: Target, slide: Slide, planes: Planes, x_row: int) -> Callable[..., None]:
    run = vector_function(target, 4, lambda e, x, f, b, y: _emit(e, slide, x, f, b, y))
    height, width, rows, pixels = planes.height, planes.width, planes.run, slide.pixels
    block, stride, pad, step, parts = planes.block, planes.stride, planes.pad, planes.step, -(-planes.height // planes.run)
    x_plane, x_origin, y_plane, y_origin, y_row = (
        planes.x_plane, planes.x_origin, planes.y_plane, planes.y_origin, planes.y_row,
    )  # fmt: skip

    def pool(x: Any, f: Any, b: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            plane, first = chunk // parts, chunk % parts * rows
            source, made = offset(x, plane * x_plane + x_origin), offset(y, plane * y_plane + y_origin)
            for i in range(first, first + rows if first + rows < height else height):
                line = offset(source, (i * stride - pad) * x_row)
                for t in range(0, width, pixels):
                    j = t if t < width - pixels else width - pixels
                    run(offset(line, j * step), offset(f, i * width + j), b, offset(made, i * y_row + j * block))

    return pool


def _emit(e: Emitter, slide: Slide, x: Value, f: Value, b: Value, y: Value) -> None:
    words, parts = ir.VectorType(I16, slide.block), slide.block // e.lanes
    widen = e.builder.sext if slide.signed else e.builder.zext

    def line(index: Value, *sums: Value) -> list[Value]:
        here, columns = e.at(x, e.builder.mul(index, integer(slide.row))), {}
        made = list(sums)
        for p in range(slide.pixels):
            for k in range(slide.taps):
                place = (p * slide.stride + k * slide.dilation) * slide.block
                if place not in columns:
                    columns[place] = widen(e.load_as(ir.VectorType(I8, slide.block), here, place), words)
                made[p] = e.builder.add(made[p], columns[place])
        return made

    total = e.loop(slide.rows, [ir.Constant(words, [0] * slide.block)] * slide.pixels, line)
    extend = e.builder.sext if slide.signed else e.builder.zext
    sums, factors = [], []
    for p, value in enumerate(total):
        factor = e.splat(e.load_as(F32, f, p))
        for v in range(parts):
            part = extend(e.shuffle(value, value, range(v * e.lanes, (v + 1) * e.lanes)), e.int_vector)
            sums.append(e.builder.add(part, e.load_as(e.int_vector, b, HEADER + v * e.lanes)))
            factors.append(factor)
    for first in range(0, len(sums), 4):
        few = slice(first, first + 4)
        places = [(first + i) * e.lanes for i in range(len(sums[few]))]
        emit_end(e, slide.end, sums[few], factors[few], b, [], y, places)


KERNEL = Kernel("quant_pool", ("QuantAveragePool",), select, layout="blocked", halo=halo, fill=x_zero)
