"""Depthwise sums of sixteen channels (Helium): products of 16 bits in even and odd lanes, widened after every second tap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.channels_last.ending import Ending
from edgeopt.kernels.channels_last.words import Words, word
from edgeopt.kernels.emit.emitter import F32, I8, I16, I32, Value
from edgeopt.kernels.integer.requantize import HEADER, HIGH, LOW, WIDE_ZERO, Numbers, Requantize

if TYPE_CHECKING:
    from edgeopt.kernels.channels_last.depthwise_sums import Taps

BYTES, HALVES, WHOLE = ir.VectorType(I8, 16), ir.VectorType(I16, 8), ir.VectorType(I32, 4)
ORDER = np.array([0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15])  # channels of the lanes of four vectors of sums


def serves(how: Requantize, weight: Array) -> bool:
    """Whether pairs of products fit 16 bits, and the results are codes that no float function comes before."""
    plain = how.result in ("int8", "uint8") and not how.added and not how.activation.kind
    return plain and int(weight.min(initial=0)) >= -127


def ordered(numbers: Numbers) -> Numbers:
    """Biases and multipliers of whole vectors in the order of their lanes."""

    def moved(values: Array) -> Array:
        padded = np.concatenate([values, np.zeros(-len(values) % 16, values.dtype)])
        return padded.reshape(-1, 16)[:, ORDER].reshape(-1)

    return Numbers(moved(numbers.bias), moved(numbers.multiplier), numbers.zero, numbers.limits, numbers.added, numbers.factor)


def emit_vectors(w: Words, taps: Taps, end: Ending, lines: Sequence[Value], weights: Value, b: Value, y: Value) -> None:
    """One row of results at y."""
    count, step = 16 * taps.kernel[0] * taps.kernel[1], taps.stride * taps.channels

    def group(index: Value, there: Value) -> list[Value]:
        channel = w.mul(index, 16)

        def pixel(at: Value, out: Value, *here: Value) -> list[Value]:
            sums = _sums(w, taps, here, there, w.at(b, w.mul(channel, 4)))
            _store(w, taps, end, sums, b, channel, out)
            return [w.at(out, taps.channels), *(w.at(line, step) for line in here)]

        w.loop(taps.across, [w.at(y, channel), *(w.at(line, channel) for line in lines)], pixel)
        return [w.at(there, count)]

    w.loop(-(-taps.channels // 16), [weights], group)


def _sums(w: Words, taps: Taps, lines: Sequence[Value], weights: Value, own: Value) -> list[Value]:
    sums = [w.load(WHOLE, own, 4 * HEADER + 16 * i, 4) for i in range(4)]
    places = [(line, k * taps.dilation * taps.channels) for line in lines for k in range(taps.kernel[1])]
    for first in range(0, len(places), 2):
        halves: list[Value] = []
        for i, (line, offset) in enumerate(places[first : first + 2], first):
            codes, factors = w.load(BYTES, line, offset), w.load(BYTES, weights, 16 * i)
            products = [w.call("llvm.arm.mve.vmull.v8i16.v16i8", HALVES, codes, factors, word(0), word(top)) for top in (0, 1)]
            halves = products if not halves else [w.builder.add(a, p) for a, p in zip(halves, products, strict=True)]
        wide = [_widened(w, half, lane) for half in halves for lane in (0, 1)]
        sums = [w.builder.add(a, v) for a, v in zip(sums, wide, strict=True)]
    return sums


def _widened(w: Words, half: Value, first: int) -> Value:
    lanes = ir.Constant(ir.VectorType(I32, 4), list(range(first, 8, 2)))
    return w.builder.sext(w.builder.shuffle_vector(half, half, lanes), WHOLE)


def _store(w: Words, taps: Taps, end: Ending, sums: Sequence[Value], b: Value, channel: Value, y: Value) -> None:
    unsigned = word(int(end.how.result == "uint8"))
    codes = [_rounded(w, end, total, b, channel, i) for i, total in enumerate(sums)]
    made = []
    for low, high in (codes[:2], codes[2:]):
        half: Value = ir.Constant(HALVES, ir.Undefined)
        for top, part in enumerate((low, high)):
            half = w.call("llvm.arm.mve.vqmovn.v8i16.v4i32", HALVES, half, part, word(0), word(0), word(top))
        made.append(half)
    whole: Value = ir.Constant(BYTES, ir.Undefined)
    for top, half in enumerate(made):
        whole = w.call("llvm.arm.mve.vqmovn.v16i8.v8i16", BYTES, whole, half, unsigned, word(0), word(top))
    if end.how.limited:
        whole = _limited(w, end, whole, b)
    left = taps.channels % 16
    if not left:
        return w.store(whole, y)
    last = w.builder.icmp_signed(">", channel, word(taps.channels - 16))
    return w.when(last, lambda: _masked(w, whole, y, left), lambda: w.store(whole, y))


def _rounded(w: Words, end: Ending, total: Value, b: Value, channel: Value, part: int) -> Value:
    e, outputs = w.emitter(), -(-end.outputs // 16) * 16
    own = w.at(b, w.mul(channel, 4))
    factors = w.load(e.vector, own, 4 * (HEADER + outputs) + 16 * part, 4)
    value = w.builder.fmul(w.builder.sitofp(total, e.vector), factors)
    rounded = w.builder.fptosi(w.call("llvm.rint.v4f32", ir.VectorType(F32, 4), value), WHOLE)
    if not end.how.shifted:
        return rounded
    zero = e.splat(w.integer(b, 4 * WIDE_ZERO))
    return w.call("llvm.sadd.sat.v4i32", WHOLE, rounded, zero)


def _limited(w: Words, end: Ending, codes: Value, b: Value) -> Value:
    sign = "s" if end.how.result == "int8" else "u"
    for name, bound in (("max", LOW), ("min", HIGH)):
        four = w.emitter().splat(w.integer(b, 4 * bound))
        codes = w.call(f"llvm.{sign}{name}.v16i8", BYTES, codes, w.builder.bitcast(four, BYTES))
    return codes


def _masked(w: Words, codes: Value, y: Value, count: int) -> None:
    flags = ir.Constant(ir.VectorType(ir.IntType(1), 16), [int(i < count) for i in range(16)])
    place = w.builder.bitcast(y, BYTES.as_pointer())
    w.call("llvm.masked.store.v16i8.p0", ir.VoidType(), codes, place, word(1), flags)
