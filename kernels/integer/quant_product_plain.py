"""QuantConv and QuantGemm of any shape and codes of 8 or 16 bits, one output row at a time.

    y = saturate(round(activation((bias[o] + sum (x - x_zero) (w - w_zero)) x_scale w_scale[o] + r) / y_scale) + y_zero)

A row is the vector dimension. It ends as the tiles of the blocked form do, so that both give the same codes. Sums are taken in 32
bits; where they may not fit, codes and zero point are split into 256 h + l, and the sums of h and l are joined in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.elements import static
from edgeopt.kernels.emit.emitter import F32, I8, I16, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_operands import (
    RESIDUAL,
    SUM_LIMIT,
    WEIGHT,
    centred,
    ending,
    largest_sum,
    per_tensor,
    require_codes,
    require_result,
)
from edgeopt.kernels.integer.requantize import HEADER, WIDE, Requantize, emit_end, parameters
from edgeopt.kernels.walk.strided import quotient, remainder
from edgeopt.kernels.walk.window import first_place, first_tap, last_place, last_tap, window
from edgeopt.target import Target

WORDS = HEADER + 2  # words of one output channel: header, bias, multiplier


@dataclass(frozen=True, eq=False)
class Product:
    """What both operators read besides x: the centred weight, the zero point of x, and how a row of sums ends."""

    weight: Array
    zero: int
    how: Requantize
    words: Array
    residual: Operand
    split: bool


def finish_function(target: Target, how: Requantize, columns: int, high: int = 0) -> Any:
    """The vector function ``(sums, words, added, codes, n)`` that requantises a row of n sums, rounded up to whole registers.

    ``columns`` is 0 when one bias and multiplier serve the row, else the distance in words from biases to multipliers. ``high``
    is the distance to the sums that count 256 times, if there are any.
    """

    def emit(e: Emitter, sums: Value, words: Value, added: Value, codes: Value, n: Value) -> None:
        unit, codes_ = 4 * e.lanes, ir.VectorType(I16 if how.added in WIDE else I8, e.lanes)

        def total(here: Value, i: int) -> Value:
            low = e.load_as(e.int_vector, here, i * e.lanes)
            if not high:
                return low
            upper = e.load_as(e.int_vector, here, high + i * e.lanes)
            scaled = e.mul(e.builder.sitofp(upper, e.vector), e.constant(256.0))
            return e.add(scaled, e.builder.sitofp(low, e.vector))

        def body(index: Value) -> list[Value]:
            place = e.builder.mul(index, integer(unit))
            here, there = e.at(sums, place), e.at(added, place)
            values = [total(here, i) for i in range(4)]
            if columns:
                numbers = e.at(words, e.builder.add(place, integer(HEADER + columns)))
                factors = [e.builder.bitcast(e.load_as(e.int_vector, numbers, i * e.lanes), e.vector) for i in range(4)]
            else:
                factors = [e.splat(e.load_as(F32, e.builder.bitcast(e.at(words, HEADER + 1), F32.as_pointer())))] * 4
            extra = [e.load_as(codes_, there, i * e.lanes) for i in range(4)] if how.added else []
            emit_end(e, how, values, factors, words, extra, e.at(codes, place), [i * e.lanes for i in range(4)])
            return []

        e.loop(e.builder.sdiv(e.builder.add(n, integer(unit - 1)), integer(unit)), [], body)

    return vector_function(target, 5, emit)


upper = inline(lambda code: np.int32(code) >> np.int32(8))
lower = inline(lambda code: np.int32(code) & np.int32(255))


@cache
def _conv(target: Target, how: Requantize, high: int) -> Callable[..., None]:
    finish, added = finish_function(target, how, 0, high), how.added != ""

    def kernel(
        x: Any, w: Any, b: Any, r: Any, y: Any, row: Any, extra: Any, codes: Any, begin: Any, end: Any,
        xz: Any, channels: Any, outputs: Any, group: Any,
        xd: Any, xh: Any, xw: Any, yd: Any, yh: Any, yw: Any, kd: Any, kh: Any, kw: Any,
        sd: Any, sh: Any, sw: Any, dd: Any, dh: Any, dw: Any, pd: Any, ph: Any, pw: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            h, d = remainder(chunk, yh) * sh - ph, remainder(quotient(chunk, yh), yd) * sd - pd
            image = quotient(chunk, yh * yd)
            o, n = remainder(image, outputs), quotient(image, outputs)
            source = (n * channels * group + quotient(o * group, outputs) * channels) * xd * xh * xw
            words = offset(b, o * WORDS)
            for i in range(yw):
                row[i] = words[HEADER]
                if high:
                    row[high + i] = np.int32(0)
            for c in range(channels):
                for a in range(first_tap(d, dd), last_tap(d, dd, xd, kd)):
                    for e in range(first_tap(h, dh), last_tap(h, dh, xh, kh)):
                        line = source + ((c * xd + d + a * dd) * xh + h + e * dh) * xw
                        for t in range(kw):
                            weight = np.int32(w[(((o * channels + c) * kd + a) * kh + e) * kw + t])
                            tap = t * dw - pw
                            for i in range(first_place(tap, sw), last_place(tap, sw, xw, yw)):
                                code = np.int32(x[line + tap + i * sw])
                                if high:
                                    row[high + i] += np.int32(weight * (upper(code) - upper(xz)))
                                    row[i] += np.int32(weight * (lower(code) - lower(xz)))
                                else:
                                    row[i] += np.int32(weight * (code - np.int32(xz)))
            if added:
                for i in range(yw):
                    extra[i] = r[chunk * yw + i]
            finish(row, words, extra, codes, yw)
            for i in range(yw):
                y[chunk * yw + i] = codes[i]

    return kernel


@cache
def _gemm(target: Target, how: Requantize, columns: int, high: int) -> Callable[..., None]:
    finish, added = finish_function(target, how, columns, high), how.added != ""

    def kernel(
        x: Any, w: Any, b: Any, r: Any, y: Any, row: Any, extra: Any, codes: Any, begin: Any, end: Any,
        xz: Any, n: Any, depth: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            for j in range(n):
                row[j] = b[HEADER + j]
                if high:
                    row[high + j] = np.int32(0)
            for k in range(depth):
                code = np.int32(x[chunk * depth + k])
                factor = code - np.int32(xz)
                if high:
                    factor = upper(code) - upper(xz)
                    for j in range(n):
                        row[high + j] += np.int32(factor * np.int32(w[k * n + j]))
                    factor = lower(code) - lower(xz)
                for j in range(n):
                    row[j] += np.int32(factor * np.int32(w[k * n + j]))
            if added:
                for j in range(n):
                    extra[j] = r[chunk * n + j]
            finish(row, b, extra, codes, n)
            for j in range(n):
                y[chunk * n + j] = codes[j]

    return kernel


def _product(site: Site, axis: int, starts: Sequence[int] | None, count: int) -> Product:
    x, y = site.given(0), site.outputs[0]
    static(*site.inputs, y)
    require_codes(x)
    require_result(y)
    weight = centred(site, axis, "int16")
    split = bool((largest_sum(site, weight, axis) >= SUM_LIMIT).any())
    if split and (largest_sum(site, weight, axis, 256) >= SUM_LIMIT).any():
        raise Declined("its sums do not fit two of 32 bits")
    how, numbers = ending(site, weight, axis)
    words = parameters(numbers, range(weight.shape[axis]) if starts is None else starts, count)
    residual = Input(RESIDUAL) if site.optional(RESIDUAL) is not None else Input(0)
    stored = weight.astype(np.int8)  # centred codes seldom need the ninth bit
    return Product(stored if (stored == weight).all() else weight, per_tensor(site, 1)[1], how, words, residual, split)


def _call(
    site: Site, product: Product, make: Callable[[int], Callable[..., None]], rest: tuple[int, ...], row: int, chunks: int
) -> tuple[KernelCall, ...]:
    """``make`` makes the kernel for the place of the high sums in a row, 0 for none."""
    padded = row + -row % (4 * site.target.lanes)
    high = padded if product.split else 0
    result, added = site.outputs[0].type.dtype, product.how.added or "uint8"
    scratch = (("row", padded + high, "int32"), ("added", padded, added), ("codes", padded, result))
    given = (Packed(product.weight), Packed(product.words), product.residual, Output(0))
    operands: tuple[Operand, ...] = (Input(0), *given, *(Temporary(name, size, True, dtype) for name, size, dtype in scratch))
    return (KernelCall(make(high), operands, (product.zero, *rest), chunks),)


def _select_conv(site: Site) -> tuple[KernelCall, ...]:
    product, x, w, y = _product(site, 0, None, 1), site.given(0), site.given(WEIGHT), site.outputs[0]
    shape = window(site.node, x.shape[2:], y.shape[2:], w.shape[2:])
    rest = (w.shape[1], w.shape[0], site.node.integer("group", 1), *shape.constants)
    chunks = y.shape[0] * w.shape[0] * shape.result[0] * shape.result[1]
    return _call(site, product, partial(_conv, site.target, product.how), rest, shape.result[2], chunks)


def _select_gemm(site: Site) -> tuple[KernelCall, ...]:
    depth, columns = site.given(WEIGHT).shape
    padded = columns + -columns % (4 * site.target.lanes)
    product = _product(site, 1, (0,), padded)
    make = partial(_gemm, site.target, product.how, padded)
    return _call(site, product, make, (columns, depth), columns, prod(site.outputs[0].shape[:-1]))


CONV = Kernel("quant_conv_plain", ("QuantConv",), _select_conv, by_definition=True)
GEMM = Kernel("quant_gemm_plain", ("QuantGemm",), _select_gemm, by_definition=True)
KERNELS = (CONV, GEMM)
