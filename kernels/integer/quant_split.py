"""QuantConv and QuantGemm of codes of 16 bits whose sums may not fit 32 bits: by the tiles of bytes, twice.

x = 256 h + l,   zero = 256 zh + zl:   sum (x - zero) w = 256 sum (h - zh) w + sum (l - zl) w

Both sums fit 32 bits; they are joined in float32, as the plain kernel does, and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Node, TensorType, Value
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Select, Site, Temporary, Tensor
from edgeopt.kernels.emit.emitter import I8, I16, Emitter, integer
from edgeopt.kernels.emit.emitter import Value as Register
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer import quant_conv, quant_depthwise, quant_depthwise_wide, quant_gemm
from edgeopt.kernels.integer.quant_operands import (
    BIAS,
    RESIDUAL,
    SUM_LIMIT,
    WEIGHT,
    WIDE_LIMITS,
    X,
    centred,
    ending,
    largest_sum,
    per_tensor,
    require_result,
    x_zero,
)
from edgeopt.kernels.integer.requantize import HEADER, WIDE, Requantize, emit_end, parameters
from edgeopt.kernels.stand_in import constant, first_accepted
from edgeopt.target import Target

RUN = 4096  # codes that are split in a chunk


@dataclass(frozen=True)
class Rows:
    """``chunks`` of ``rows`` rows of ``length`` results; origin, chunk and row strides of y and of the residual.

    Result i of a row belongs to channel (c mod ``groups``) ``channels`` + i mod ``channels`` of chunk c.
    """

    chunks: int
    rows: int
    length: int
    groups: int
    channels: int
    y: tuple[int, int, int]
    r: tuple[int, int, int]


def _select(site: Site, op: str, axis: int, kernels: Sequence[Select]) -> tuple[KernelCall, ...]:
    x, y, weight = site.given(X), site.outputs[0], centred(site, axis)
    require_result(y)
    if x.type.dtype not in WIDE_LIMITS or not (largest_sum(site, weight, axis) >= SUM_LIMIT).any():
        raise Declined("its sums fit 32 bits")
    if (largest_sum(site, weight, axis, 256) >= SUM_LIMIT).any():
        raise Declined("its sums do not fit two of 32 bits")
    rows, zero = _rows(site), per_tensor(site, X + 1)[1]
    types = ("int8" if x.type.dtype == "int16" else "uint8", "uint8")
    codes = [Temporary(name, x.elements, dtype=dtype) for name, dtype in zip(("high", "low"), types, strict=True)]
    sums = [Temporary(f"{code.name} sums", y.elements) for code in codes]
    calls = [KernelCall(_split, (Input(X), *codes), (x.elements, RUN), -(-x.elements // RUN))]
    for code, total, part in zip(codes, sums, (zero >> 8, zero & 255), strict=True):
        half = _half(site, op, code.dtype, part, site.optional(BIAS) if code.name == "low" else None)
        places: dict[Operand, Operand] = {Input(X): code, Output(): total}
        for call in first_accepted(kernels, half):
            calls.append(replace(call, operands=tuple(places.get(o, o) for o in call.operands)))
    how, numbers = ending(site, weight, axis)
    count = rows.groups * rows.channels
    words = parameters(numbers, range(0, count, rows.channels), rows.channels)
    added = Input(RESIDUAL) if how.added else Output()
    operands = (*sums, Packed(words), added, Output())
    return (*calls, KernelCall(_join(site.target, rows, how), operands, (), rows.chunks))


def _half(site: Site, op: str, dtype: str, zero: int, bias: Tensor | None) -> Site:
    """The site as one of bytes on a grid of steps of 1, whose result is the sum in float32."""
    x, y = site.given(X), site.outputs[0]
    codes = Tensor(TensorType(dtype, x.shape), replace(x.layout, fill=0))
    real, one = replace(y, type=TensorType("float32", y.shape)), constant(np.ones((), np.float32))
    inputs = (codes, one, constant(np.full((), zero, dtype)), site.given(WEIGHT), one, site.optional(WEIGHT + 2), bias)
    kept = {k: v for k, v in site.node.attributes.items() if k not in ("activation", "alpha", "beta")}
    node = Node(op, [Value("x", codes.type)], [Value("y", real.type)], kept, name=site.node.name)
    return replace(site, node=node, inputs=inputs, outputs=(real,))


def _split(x: Any, high: Any, low: Any, begin: Any, end: Any, size: Any, run: Any) -> None:
    for i in range(begin * run, min(end * run, size)):
        code = np.int32(x[i])
        high[i], low[i] = code >> np.int32(8), code & np.int32(255)


def _rows(site: Site) -> Rows:
    y, r = site.outputs[0], site.optional(RESIDUAL) or site.outputs[0]
    if not y.layout.block:
        columns = y.shape[-1]
        strides = (0, columns, 0)
        return Rows(y.elements // columns, 1, columns, 1, columns, strides, strides)
    if r.layout.block != y.layout.block:
        raise Declined("its residual does not lie blocked")
    block, (images, _, height, width) = y.layout.block, y.shape
    strides_of = [(t.origin * block, t.plane * block, t.row * block) for t in (y, r)]
    return Rows(images * y.blocks, height, width * block, y.blocks, block, strides_of[0], strides_of[1])


def _join(target: Target, rows: Rows, how: Requantize) -> Callable[..., None]:
    run = vector_function(target, 5, lambda e, *pointers: _emit(e, rows, how, *pointers))
    groups, count, words = rows.groups, rows.rows, HEADER + 2 * rows.channels
    (y0, yc, yr), (r0, rc, rr) = rows.y, rows.r

    def join(high: Any, low: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            bc = offset(b, chunk % groups * words)
            for i in range(count):
                place = y0 + chunk * yc + i * yr
                added = offset(r, r0 + chunk * rc + i * rr)
                run(offset(high, place), offset(low, place), bc, added, offset(y, place))

    return join


def _emit(e: Emitter, rows: Rows, how: Requantize, high: Register, low: Register, b: Register, r: Register, y: Register) -> None:
    """One row, vector by vector; the last ends with the row."""
    kind = ir.VectorType(I16 if how.added in WIDE else I8, e.lanes)

    def body(index: Register) -> list[Register]:
        place, final = e.builder.mul(index, integer(e.lanes)), integer(rows.length - e.lanes)
        place = e.builder.select(e.builder.icmp_signed("<", place, final), place, final)
        channel = e.builder.srem(place, integer(rows.channels))
        factor = e.load_as(e.int_vector, e.at(b, channel), HEADER + rows.channels)
        total = e.add(e.mul(e.load(e.at(high, place)), e.constant(256.0)), e.load(e.at(low, place)))
        added = [e.load_as(kind, e.at(r, place))] if how.added else []
        emit_end(e, how, [total], [e.builder.bitcast(factor, e.vector)], b, added, e.at(y, place), [0])
        return []

    e.loop(-(-rows.length // e.lanes), [], body)


def _conv(site: Site) -> tuple[KernelCall, ...]:
    if not site.outputs[0].layout.block:
        raise Declined("its operands do not lie blocked")
    selects = [m.KERNEL.select for m in (quant_depthwise, quant_depthwise_wide, quant_conv)]
    return _select(site, "QuantConv", 0, selects)


def _gemm(site: Site) -> tuple[KernelCall, ...]:
    return _select(site, "QuantGemm", 1, [quant_gemm.KERNEL.select])


KERNELS = (
    Kernel("quant_conv_split", ("QuantConv",), _conv, layout="blocked", hot=True, halo=quant_conv.halo, fill=x_zero),
    Kernel("quant_gemm_split", ("QuantGemm",), _gemm),
)
