"""QuantMul of two tensors of one shape, of a blocked map with one code for each channel (squeeze and excitation), or of a plain
tensor with one that is as long as its last axes.

    y = saturate(round(activation((a - a_zero) (b - b_zero) a_scale b_scale) / y_scale) + y_zero)

The products of codes are exact in 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Tensor
from edgeopt.kernels.emit.emitter import I8, Emitter
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.integer.quant_operands import LIMITS, limits_of, per_tensor
from edgeopt.kernels.integer.requantize import HEADER, LARGE, Numbers, Requantize, emit_end, parameters
from edgeopt.kernels.walk.byte_rows import Rows, rows_function, rows_of, spread_rows

A, B, RESULT = 0, 3, 6


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantMul. Raises Declined for other broadcasts and layouts."""
    y, target = site.outputs[0], site.target
    whole, other = (A, B) if prod(site.given(A).shape) == prod(y.shape) else (B, A)
    a, b = site.given(whole), site.given(other)
    if prod(a.shape) != prod(y.shape):
        raise Declined("both operands are broadcast")
    rows = _rows(a, b, y)
    block = y.layout.block
    if block % max(8, target.lanes):  # 0 where they lie plain
        raise Declined("a block is no whole vector")
    how, numbers = _ending(site, whole, other, target.lanes)
    signed, steady = tuple(t.type.dtype == "int8" for t in (a, b)), rows.steady

    def step(e: Emitter, pointers: Sequence[Any], parts: int) -> None:
        x, z, words, out = pointers
        zeros = [e.load_as(e.int_vector, words, HEADER + i * e.lanes) for i in range(2)]
        multiplier = e.builder.bitcast(e.load_as(e.int_vector, words, HEADER + 2 * e.lanes), e.vector)
        sums = []
        for i in range(parts):
            places = (i * e.lanes, i * e.lanes % block if steady else i * e.lanes)
            codes = [e.load_as(ir.VectorType(I8, e.lanes), p, place) for p, place in zip((x, z), places, strict=True)]
            wide = [(e.builder.sext if s else e.builder.zext)(c, e.int_vector) for c, s in zip(codes, signed, strict=True)]
            sums.append(e.builder.mul(*(e.builder.sub(v, zero) for v, zero in zip(wide, zeros, strict=True))))
        emit_end(e, how, sums, [multiplier] * parts, words, [], out, [i * e.lanes for i in range(parts)])

    words = parameters(numbers, [0], 2 * target.lanes)
    operands = (Input(whole), Input(other), Packed(words), Output())
    return (KernelCall(rows_function(target, rows, step), operands, (), rows.planes),)


def _rows(a: Tensor, b: Tensor, y: Tensor) -> Rows:
    if not y.layout.block:
        return spread_rows(a, b, y)
    if b.shape == y.shape:
        return rows_of(a, b, y)
    if b.shape != (*y.shape[:2], 1, 1) or b.layout.block != y.layout.block or b.type.dtype not in LIMITS:
        raise Declined("an operand is broadcast in another way than over positions")
    rows, block = rows_of(a, y), b.layout.block
    return replace(rows, strides=(rows.strides[0], (b.origin * block, b.plane * block, 0), rows.strides[1]), steady=True)


def _ending(site: Site, whole: int, other: int, lanes: int) -> tuple[Requantize, Numbers]:
    """The end, and its numbers: in the place of biases the zero points of both operands."""
    (a_scale, a_zero), (b_scale, b_zero), (y_scale, y_zero) = (per_tensor(site, i) for i in (whole + 1, other + 1, RESULT))
    result, activation = site.outputs[0].type.dtype, activation_of(site.node)
    inside = activation.kind not in ("", "Relu", "Clip")
    multiplier = a_scale * b_scale / (1.0 if inside else y_scale)
    limits = limits_of(site.node, activation, result, y_scale, y_zero)
    how = Requantize(
        result=result,
        shifted=y_zero != 0,
        limited=limits != LIMITS[result],
        guarded=256 * 256 * a_scale * b_scale / y_scale >= LARGE,
        activation=activation if inside else Activation(),
    )
    zeros = np.repeat(np.array([a_zero, b_zero], np.int32), lanes)
    return how, Numbers(zeros, np.full(2 * lanes, multiplier), y_zero, limits, factor=1 / y_scale)


KERNELS = (
    Kernel("quant_mul", ("QuantMul",), select, layout="blocked"),
    Kernel("quant_mul_flat", ("QuantMul",), select),
)
