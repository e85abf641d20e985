"""The end of an integer kernel: 32-bit sums become codes of 8 or 16 bits, in registers.

    y = saturate(round(activation(sum * multiplier[c] + (r - r_zero) * r_factor) * factor) + y_zero)

rounded half to even, then limited to [low, high] when the activation is a clip; or y = activation(...) in float32. Numbers
that differ from layer to layer come from memory, so that layers of one shape share their code: a block of 32-bit words, see
``parameters``. Codes are the same on every target: each product and sum is rounded as it is written, with a residual both in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.emit.emit_bytes import limit, narrow, round_to_int, splat_word, store_parts
from edgeopt.kernels.emit.emitter import F32, I16, I32, Emitter, Value
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.emit.exact import exactly

HEADER = 16  # words before the biases
ADDED_FACTOR, ADDED_OFFSET, FACTOR, ZERO, LOW, HIGH, WIDE_ZERO, WIDE_LOW, WIDE_HIGH = range(9)
WIDE = ("uint16", "int16")
LARGE = 2.0**20  # beyond every code, within what rounding can do


@dataclass(frozen=True)
class Requantize:
    """What the end of a tile does. Types are uint8, int8, uint16 or int16; the result may be float32.

    ``added`` is the type of the residual or empty; ``shifted``: the zero point of the result is not 0; ``limited``: the codes are
    limited more narrowly than by their type; ``guarded``: the scaled sums may be too large to be rounded. ``activation`` is one
    that has to be computed in float, before ``factor``; else factor is not read.
    """

    result: str = "uint8"
    added: str = ""
    shifted: bool = True
    limited: bool = False
    guarded: bool = True
    activation: Activation = Activation()


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a Requantize reads: per output channel a bias (int32) and a multiplier, and numbers of the whole tensor.

    ``added`` are factor and offset of the residual: its codes times factor, plus offset.
    """

    bias: Array
    multiplier: Array
    zero: int = 0
    limits: tuple[int, int] = (0, 255)
    added: tuple[float, float] = (0.0, 0.0)
    factor: float = 1.0


def parameters(numbers: Numbers, starts: Sequence[int], count: int) -> Array:
    """The words for groups of ``count`` output channels that begin at ``starts``: header, biases, multipliers."""
    made = np.zeros((len(starts), HEADER + 2 * count), np.int32)
    made[:, :3] = np.array([*numbers.added, numbers.factor], np.float32).view(np.int32)
    made[:, ZERO] = np.full(2, numbers.zero & 0xFFFF, np.uint16).view(np.int32)
    made[:, WIDE_ZERO : WIDE_HIGH + 1] = numbers.zero, *numbers.limits
    for word, bound in zip((LOW, HIGH), numbers.limits, strict=True):
        made[:, word] = np.full(4, bound & 255, np.uint8).view(np.int32)
    for row, start in zip(made, starts, strict=True):
        bias, multiplier = (a[start : start + count] for a in (numbers.bias, numbers.multiplier))
        row[HEADER : HEADER + bias.size] = bias
        row[HEADER + count : HEADER + count + bias.size] = multiplier.astype(np.float32).view(np.int32)
    return made


def emit_end(
    e: Emitter, how: Requantize, sums: Sequence[Value], multipliers: Sequence[Value], b: Value, residuals: Sequence[Value],
    y: Value, places: Sequence[int],
) -> None:  # fmt: skip
    """Store the results of one to four vectors of sums at ``places`` (elements after y).

    ``residuals`` are vectors of ``lanes`` codes, or empty. Sums that do not fit 32 bits come as vectors of floats.
    """
    e, values = exactly(e), []
    for i, (total, multiplier) in enumerate(zip(sums, multipliers, strict=True)):
        value = total if total.type == e.vector else e.builder.sitofp(total, e.vector)
        scaled = e.fma(value, multiplier, _added(e, how, residuals[i], b)) if residuals else e.mul(value, multiplier)
        values.append(scaled)
    if how.result == "float32":
        for value, place in zip(values, places, strict=True):
            e.store(how.activation.apply(e, value), y, place)
    elif how.result in WIDE:
        for value, place in zip(values, places, strict=True):
            e.store(_wide_codes(e, _round(e, how, value, b), b), y, place)
    else:
        store_parts(e, _codes(e, how, [_round(e, how, value, b) for value in values], b), y, places)


def _codes(e: Emitter, how: Requantize, rounded: Sequence[Value], b: Value) -> Value:
    signed = how.result == "int8"
    zero = e.builder.bitcast(splat_word(e, b, ZERO), ir.VectorType(I16, 2 * e.lanes)) if how.shifted else None
    codes = narrow(e, rounded, zero, signed)
    return limit(e, codes, splat_word(e, b, LOW), splat_word(e, b, HIGH), signed) if how.limited else codes


def _wide_codes(e: Emitter, rounded: Value, b: Value) -> Value:
    """int32 plus the zero point, limited, as codes of 16 bits."""
    zero, low, high = (e.splat(e.load_as(I32, b, word)) for word in (WIDE_ZERO, WIDE_LOW, WIDE_HIGH))
    code = e.builder.add(rounded, zero)
    code = e.builder.select(e.builder.icmp_signed("<", code, low), low, code)
    code = e.builder.select(e.builder.icmp_signed(">", code, high), high, code)
    return e.builder.trunc(code, ir.VectorType(I16, e.lanes))


def _number(e: Emitter, b: Value, word: int) -> Value:
    place = e.builder.bitcast(e.at(b, word), F32.as_pointer())
    return e.splat(e.builder.load(place, align=4))


def _added(e: Emitter, how: Requantize, codes: Value, b: Value) -> Value:
    widen = e.builder.sext if how.added.startswith("int") else e.builder.zext
    value = e.builder.sitofp(widen(codes, e.int_vector), e.vector)
    return e.fma(value, _number(e, b, ADDED_FACTOR), _number(e, b, ADDED_OFFSET))


def _round(e: Emitter, how: Requantize, value: Value, b: Value) -> Value:
    if how.activation.kind:
        value = e.mul(how.activation.apply(e, value), _number(e, b, FACTOR))
    if how.guarded:
        value = e.maximum(e.minimum(value, e.constant(LARGE)), e.constant(-LARGE))
    return round_to_int(e, value)
