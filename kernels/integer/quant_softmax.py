"""QuantSoftmax of bytes along the last axis, a row after the other: codes in, codes out, each exponential computed once.

    y = saturate(round(e^((x - max) x_scale) / sum / y_scale) + y_zero)

A row is copied into scratch memory of whole registers; the exponentials are kept there, too. Sums are taken in the same order on
every target, so that codes are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.emitter import F32, I8, Emitter, Value, integer
from edgeopt.kernels.emit.exact import exactly
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_operands import limits_alone, per_tensor, require_bytes
from edgeopt.kernels.integer.requantize import FACTOR, Numbers, Requantize, emit_end, parameters
from edgeopt.kernels.reduce.row_vectors import CRUMB, only
from edgeopt.kernels.reduce.softmax_vector import exponential
from edgeopt.target import Target

X_SCALE = 0  # word of the parameters, which those of residuals do not need here
SUMS = 16  # partial sums, whatever the vectors: element i counts for sum i mod 16; they lie before the terms


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a QuantSoftmax. Raises Declined for another axis than the last and other types."""
    x, y = site.given(0), site.outputs[0]
    require_bytes(x, y)
    if not x.shape or site.node.integer("axis", -1) % len(x.shape) != len(x.shape) - 1 or not x.elements:
        raise Declined("it does not go along the last axis")
    (x_scale, _), (y_scale, zero), n = per_tensor(site, 1), per_tensor(site, 3), x.shape[-1]
    limits, limited = limits_alone(site.node, y.type.dtype)
    how = Requantize(result=y.type.dtype, shifted=zero != 0, limited=limited, guarded=1 / y_scale >= 2.0**20)
    numbers = Numbers(np.zeros(0), np.zeros(0), zero, limits, (x_scale, 0.0), 1 / y_scale)
    rows, unit = x.elements // n, 4 * site.target.lanes
    size, run = -(-n // unit) * unit, min(rows, -(-CRUMB // n))
    memory = (Temporary("row", size, True, "int8"), Temporary("terms", SUMS + size, True), Temporary("codes", size, True, "int8"))
    operands = (Input(0), Packed(parameters(numbers, [0], 0)), Output(), *memory)
    return (KernelCall(_function(site.target, how, x.type.dtype == "int8", n, rows, run), operands, (), -(-rows // run)),)


def _function(target: Target, how: Requantize, signed: bool, n: int, rows: int, run: int) -> Callable[..., None]:
    row = vector_function(target, 4, lambda e, x, words, sums, y: _emit(exactly(e), how, signed, n, x, words, sums, y))
    size = -(-n // (4 * target.lanes)) * 4 * target.lanes

    def softmax(x: Any, words: Any, y: Any, copy: Any, terms: Any, codes: Any, begin: Any, end: Any) -> None:
        for i in range(n, size):
            copy[i] = np.int8(0)
        for chunk in range(begin * run, min(end * run, rows)):
            source, made = offset(x, chunk * n), offset(y, chunk * n)
            for i in range(n):
                copy[i] = source[i]
            row(copy, words, terms, codes)
            for i in range(n):
                made[i] = codes[i]

    return softmax


def _emit(e: Emitter, how: Requantize, signed: bool, n: int, x: Value, words: Value, sums: Value, y: Value) -> None:
    """One row of ``n`` codes that lies in whole registers."""
    whole, tail = divmod(n, e.lanes)
    terms = e.at(sums, SUMS)
    for first in range(0, SUMS, e.lanes):
        e.store(e.constant(0.0), sums, first)

    def real(place: Value) -> Value:
        codes = e.load_as(ir.VectorType(I8, e.lanes), e.at(x, place))
        return e.builder.sitofp((e.builder.sext if signed else e.builder.zext)(codes, e.int_vector), e.vector)

    def along(start: Value, body: Callable[[Value, int, Value], Value]) -> Value:
        def step(index: Value, carried: Value) -> Sequence[Value]:
            return [body(e.builder.mul(index, integer(e.lanes)), e.lanes, carried)]

        (carried,) = e.loop(whole, [start], step) if whole else [start]
        return body(integer(whole * e.lanes), tail, carried) if tail else carried

    least = e.constant(-256.0)
    top = e.splat(e.reduce_maximum(along(least, lambda at, lanes, top: e.maximum(only(e, real(at), lanes, least), top))))
    scale = _number(e, words, X_SCALE)

    def summed(at: Value, lanes: int, carried: Value) -> Value:
        value = only(e, exponential(e, e.mul(e.sub(real(at), top), scale), e.constant(0.0)), lanes, e.constant(0.0))
        e.store(value, e.at(terms, at))
        place = e.at(sums, e.builder.and_(at, integer(SUMS - 1)))
        e.store(e.add(e.load(place), value), place)
        return carried

    along(least, summed)
    factor = e.div(_number(e, words, FACTOR), e.splat(_total(e, sums)))

    def finish(index: Value) -> Sequence[Value]:
        place = e.builder.mul(index, integer(4 * e.lanes))
        values = [e.load(e.at(terms, place), i * e.lanes) for i in range(4)]
        emit_end(e, how, values, [factor] * 4, words, [], e.at(y, place), [i * e.lanes for i in range(4)])
        return []

    e.loop(-(-n // (4 * e.lanes)), [], finish)


def _total(e: Emitter, sums: Value) -> Value:
    """The sum of the partial sums, the first half of them plus the other until one is left."""
    values = [e.load(sums, first) for first in range(0, SUMS, e.lanes)]
    while len(values) > 1:
        half = len(values) // 2
        values = [e.add(a, b) for a, b in zip(values[:half], values[half:], strict=True)]
    return e.reduce_add(values[0])


def _number(e: Emitter, words: Value, index: int) -> Value:
    return e.splat(e.load_as(F32, e.builder.bitcast(e.at(words, index), F32.as_pointer())))


KERNEL = Kernel("quant_softmax", ("QuantSoftmax",), select)
