"""The end of scalar integer products: a sum of 32 bits becomes a code, by the same rounding on every processor.

    y = saturate(round(float(sum) * multiplier) + y_zero)

An FPU computes that as it stands. Without one the product is taken in integers: with multiplier = factor 2^-(32 + shift), where
factor holds all 24 bits of the multiplier, round(v) is (high word of sum factor + 2^(shift - 1)) >> shift, unless v lies so close
to halfway between two codes that the roundings of ``float(sum)`` and of the float product may decide. Both together move v by
at most 2^-15 where |v| <= 2^8, beyond which every code saturates; what is as close as that, one sum of hundreds, is computed
again as it stands. So codes are the same with and without an FPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.channels_last.words import Words, word
from edgeopt.kernels.emit.emitter import F32, I8, I32, I64, Emitter, Value
from edgeopt.kernels.integer.quant_operands import LIMITS
from edgeopt.kernels.integer.requantize import HEADER, WIDE_HIGH, WIDE_LOW, WIDE_ZERO, Numbers, Requantize, emit_end, parameters
from edgeopt.target import Target

MOST_SHIFT, MOST_BITS = 15, 30  # a shift of 15 tells what is within 2^-15 of halfway; factors are below 2^31


@dataclass(frozen=True)
class Ending:
    """How sums of ``outputs`` channels end.

    ``form``: ``real`` (FPU), ``fixed`` (integers), or ``general``, by the vector emitter, for activations in float, residuals and
    float32 results.
    """

    how: Requantize
    form: str
    outputs: int

    @property
    def result_bytes(self) -> int:
        """Bytes of an element of the result."""
        return 4 if self.how.result == "float32" else 1


def ending_of(target: Target, how: Requantize, numbers: Numbers, outputs: int) -> tuple[Ending, Array]:
    """How the sums of a layer end, and the words that are read for it: header, biases, multipliers or factors and shifts."""
    words = parameters(numbers, [0], outputs).reshape(-1)
    if how.result not in LIMITS or how.added or how.activation.kind:
        return Ending(how, "general", outputs), words
    if target.fpu:
        return Ending(how, "real", outputs), words
    factors = fixed_factors(words[HEADER + outputs :].view(np.float32))
    if factors is None:
        return Ending(how, "general", outputs), words
    return Ending(how, "fixed", outputs), np.concatenate([words[: HEADER + outputs], *factors])


def fixed_factors(multiplier: Array) -> tuple[Array, Array] | None:
    """Factors and shifts of float32 multipliers; None where one is too large or too small for them."""
    fraction, exponent = np.frexp(multiplier.astype(np.float64))
    mantissa = np.rint(np.ldexp(fraction, 24)).astype(np.int64)  # exact
    bits = 24 - exponent  # multiplier = mantissa 2^-bits
    more = np.minimum(MOST_BITS - 23, MOST_SHIFT + 32 - bits)
    shift = bits + more - 32
    unset = mantissa == 0
    if ((more < 0) | (shift < 1))[~unset].any() or (multiplier < 0).any():
        return None
    factor = np.where(unset, 0, mantissa << np.maximum(more, 0))
    return factor.astype(np.int32), np.where(unset, 1, shift).astype(np.int32)


def bias(w: Words, b: Value, channel: Value, step: int = 0) -> Value:
    """The bias of ``channel + step``."""
    return w.integer(w.at(b, w.mul(channel, 4)), 4 * (HEADER + step))


def store_sums(
    w: Words, end: Ending, sums: Sequence[Value], b: Value, channel: Value, step: int, places: Sequence[tuple[Value, Value]]
) -> None:
    """Store the results of one channel, ``channel + step``, of several pixels, at ``places`` of results and of residuals."""
    own = w.at(b, w.mul(channel, 4))
    factor = w.integer(own, 4 * (HEADER + end.outputs + step))
    shift = w.integer(own, 4 * (HEADER + 2 * end.outputs + step)) if end.form == "fixed" else word(0)
    for total, (y, r) in zip(sums, places, strict=True):
        if end.form == "general":
            _general(w, end, total, factor, b, r, y)
            continue
        rounded = _real(w, total, factor) if end.form == "real" else _fixed(w, total, factor, shift)
        w.store(w.builder.trunc(_limited(w, end, rounded, b), I8), y)


def _real(w: Words, total: Value, factor: Value) -> Value:
    value = w.builder.fmul(w.builder.sitofp(total, F32), w.builder.bitcast(factor, F32))
    return rounded_scalar(w, value)


def rounded_scalar(w: Words, value: Value) -> Value:
    """The nearest i32 of a float, half to even; saturated where the processor does that."""
    if w.target.rounds_scalars:
        return w.builder.bitcast(w.call("llvm.arm.vcvtr.f32", F32, value), I32)
    return w.builder.fptosi(w.call("llvm.rint.f32", F32, value), I32)


def _fixed(w: Words, total: Value, factor: Value, shift: Value) -> Value:
    builder = w.builder
    one = builder.shl(word(1), shift)
    moved = builder.add(high_product(w, total, factor), builder.lshr(one, word(1)))
    beyond = builder.and_(builder.add(moved, word(1)), builder.sub(one, word(1)))
    close = builder.icmp_unsigned("<", beyond, word(2))
    return w.chosen(close, lambda: _exact(w, total, factor, shift), lambda: builder.ashr(moved, shift), rarely=True)


def _exact(w: Words, total: Value, factor: Value, shift: Value) -> Value:
    """By float operations, in software where there is no FPU; products with powers of two are exact."""
    builder = w.builder
    power = builder.bitcast(builder.shl(builder.sub(word(127 - 32), shift), word(23)), F32)
    multiplier = builder.fmul(builder.sitofp(factor, F32), power)
    value = builder.fmul(builder.sitofp(total, F32), multiplier)
    bound = ir.Constant(F32, 2.0**20)
    low = builder.select(builder.fcmp_ordered("<", value, bound), value, bound)
    limited = builder.select(builder.fcmp_ordered(">", low, ir.Constant(F32, -(2.0**20))), low, ir.Constant(F32, -(2.0**20)))
    return builder.fptosi(w.call("llvm.rint.f32", F32, limited), I32)


def high_product(w: Words, a: Value, b: Value) -> Value:
    """The high word of a signed product; by halves where the processor has no such product."""
    builder = w.builder
    if w.target.architecture != "thumbv6m":
        wide = builder.mul(builder.sext(a, I64), builder.sext(b, I64))
        return builder.trunc(builder.ashr(wide, ir.Constant(I64, 32)), I32)
    (a0, a1), (b0, b1) = ((builder.and_(v, word(0xFFFF)), builder.ashr(v, word(16))) for v in (a, b))
    middle = builder.add(builder.mul(a1, b0), builder.lshr(builder.mul(a0, b0), word(16)))
    other = builder.add(builder.mul(a0, b1), builder.and_(middle, word(0xFFFF)))
    high = builder.add(builder.mul(a1, b1), builder.ashr(middle, word(16)))
    return builder.add(high, builder.ashr(other, word(16)))


def _limited(w: Words, end: Ending, rounded: Value, b: Value) -> Value:
    """The code of a rounded quotient."""
    how, builder = end.how, w.builder
    value = rounded
    if how.shifted:
        zero = w.integer(b, 4 * WIDE_ZERO)
        value = w.call("llvm.sadd.sat.i32", I32, value, zero) if how.guarded and end.form == "real" else builder.add(value, zero)
    low, high = (word(v) for v in LIMITS[how.result])
    if w.target.dsp and not how.limited:
        return w.call(f"llvm.arm.{'s' if how.result == 'int8' else 'u'}sat", I32, value, word(8))
    if how.limited:
        low, high = w.integer(b, 4 * WIDE_LOW), w.integer(b, 4 * WIDE_HIGH)
    value = w.call("llvm.smax.i32", I32, value, low)
    return w.call("llvm.smin.i32", I32, value, high)


def _general(w: Words, end: Ending, total: Value, factor: Value, b: Value, r: Value, y: Value) -> None:
    e = Emitter(replace(w.target, vector_bytes=4), w.builder)
    sums, factors = (w.builder.bitcast(v, k) for v, k in ((total, e.int_vector), (factor, e.vector)))
    words, kind = w.builder.bitcast(b, I32.as_pointer()), F32 if end.how.result == "float32" else I8
    added: list[Any] = [w.load(ir.VectorType(I8, 1), r)] if end.how.added else []
    emit_end(e, end.how, [sums], [factors], words, added, w.builder.bitcast(y, kind.as_pointer()), [0])
