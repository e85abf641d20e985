"""The end of four sums of neighbouring channels of a pixel in one vector (Helium)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from edgeopt.kernels.channels_last.ending import Ending
from edgeopt.kernels.channels_last.words import Words, word
from edgeopt.kernels.emit.emitter import F32, I8, I32, Value
from edgeopt.kernels.integer.quant_operands import LIMITS
from edgeopt.kernels.integer.requantize import HEADER, WIDE_HIGH, WIDE_LOW, WIDE_ZERO, emit_end

LANES = 4


def store_four(w: Words, end: Ending, totals: Sequence[Value], b: Value, channel: Value, y: Value, r: Value) -> None:
    """Store the results of ``channel`` and the three after it, as far as there are so many; biases are added here."""
    e = w.emitter()
    made = ir.Constant(e.int_vector, ir.Undefined)
    for lane, total in enumerate(totals):
        made = w.builder.insert_element(made, total, word(lane))
    own = w.at(b, w.mul(channel, 4))
    made = w.builder.add(made, w.load(e.int_vector, own, 4 * HEADER, 4))
    store_vector(w, end, made, w.load(e.vector, own, 4 * (HEADER + -(-end.outputs // LANES) * LANES), 4), b, channel, y, r)


def store_vector(w: Words, end: Ending, sums: Value, factors: Value, b: Value, channel: Value, y: Value, r: Value) -> None:
    """Store the results of sums with their bias."""
    e = w.emitter()
    if end.form == "general":
        words, kind = w.builder.bitcast(b, I32.as_pointer()), F32 if end.how.result == "float32" else I8
        added: list[Any] = [w.load(ir.VectorType(I8, LANES), r)] if end.how.added else []
        place = w.builder.bitcast(y, kind.as_pointer())
        return _each(w, end, channel, y, lambda out: emit_end(e, end.how, [sums], [factors], words, added, out, [0]), place)
    codes = rounded_vector(w, end, sums, factors, b)
    narrow = w.builder.trunc(codes, ir.VectorType(I8, LANES))
    return _each(w, end, channel, y, lambda out: w.store(narrow, w.bytes(out)), y)


def _each(w: Words, end: Ending, channel: Value, y: Value, store: Any, place: Value) -> None:
    """Store four results; of the last group only those that exist, by way of the stack."""
    left = end.outputs % LANES
    if not left:
        store(place)
        return None

    def part() -> None:
        kind = ir.ArrayType(place.type.pointee, LANES)
        with w.builder.goto_entry_block():
            memory = w.builder.alloca(kind)
        store(w.builder.gep(memory, [word(0), word(0)]))
        for i in range(left):
            one = w.builder.load(w.builder.gep(memory, [word(0), word(i)]))
            w.builder.store(one, w.builder.gep(place, [word(i)]))
        return None

    whole = w.builder.icmp_signed("<=", channel, word(end.outputs - LANES))
    return w.when(whole, lambda: store(place), part)


def rounded_vector(w: Words, end: Ending, sums: Value, factors: Value, b: Value) -> Value:
    """The codes of four sums, as i32."""
    e, how = w.emitter(), end.how
    value = w.builder.fmul(w.builder.sitofp(sums, e.vector), factors)
    rounded = w.builder.fptosi(w.call("llvm.rint.v4f32", e.vector, value), e.int_vector)
    if how.shifted:
        zero = e.splat(w.integer(b, 4 * WIDE_ZERO))
        rounded = w.call("llvm.sadd.sat.v4i32", e.int_vector, rounded, zero)
    low, high = (e.integers(v) for v in LIMITS[how.result])
    if how.limited:
        low, high = (e.splat(w.integer(b, 4 * word_)) for word_ in (WIDE_LOW, WIDE_HIGH))
    limited = w.call("llvm.smax.v4i32", e.int_vector, rounded, low)
    return w.call("llvm.smin.v4i32", e.int_vector, limited, high)
