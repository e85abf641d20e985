"""QuantAdd of two blocked maps of one shape, or of plain tensors of which one may be as long as the last axes of the other.

    y = saturate(round(activation(a_scale (a - a_zero) + b_scale (b - b_zero)) / y_scale) + y_zero)

Every product, sum and quotient is rounded to float32 as the float operators round theirs, so that codes are equal to those of the
body. Sums of neighbouring layers in a residual network else differ where they come close to halfway between codes, and what reads
them multiplies that. With the attribute ``ratios`` codes are multiplied by ratios of scales instead, as QLinearAdd does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site
from edgeopt.kernels.emit.emitter import F32, I8, I32, Emitter, Value
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.emit.quotient import quotient
from edgeopt.kernels.integer.quant_operands import LIMITS, limits_of, per_tensor
from edgeopt.kernels.integer.requantize import HEADER, LARGE, Numbers, Requantize, emit_end, parameters
from edgeopt.kernels.walk.byte_rows import in_place, rows_function, rows_of, spread_rows
from edgeopt.target import Target

A, B, RESULT = 0, 3, 6
ZEROS, SCALES, STEP, INVERSE, WORDS = 0, 2, 4, 5, 6  # words after the parameters: of a, of b; y_scale, 1 / y_scale


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantAdd. Raises Declined for other broadcasts and layouts."""
    a, b, y, target = site.given(A), site.given(B), site.outputs[0], site.target
    if y.layout.block and (a.shape != y.shape or b.shape != y.shape):
        raise Declined("an operand is broadcast")
    rows = rows_of(a, b, y) if y.layout.block else spread_rows(a, b, y)
    if y.layout.block % whole_block(target):  # blocks of four nowhere, so that every target rounds alike
        raise Declined("a block is no whole vector")
    ratios, signed = bool(site.node.integer("ratios", 0)), (a.type.dtype == "int8", b.type.dtype == "int8")
    how, numbers = _ending(site, ratios)

    def step(e: Emitter, pointers: Sequence[Value], parts: int) -> None:
        x, z, words, out = pointers
        bytes_ = ir.VectorType(I8, e.lanes)
        codes, added = ([e.load_as(bytes_, p, i * e.lanes) for i in range(parts)] for p in (x, z))
        wide = [(e.builder.sext if signed[0] else e.builder.zext)(c, e.int_vector) for c in codes]
        multiplier = e.builder.bitcast(e.load_as(e.int_vector, words, HEADER + e.lanes), e.vector)
        if not ratios:
            others = [(e.builder.sext if signed[1] else e.builder.zext)(c, e.int_vector) for c in added]
            exact, multiplier, added = e.at(words, HEADER + 2 * e.lanes), e.constant(1.0), []
            wide = [_quotient(e, how, exact, pair) for pair in zip(wide, others, strict=True)]
        emit_end(e, how, wide, [multiplier] * parts, words, added, out, [i * e.lanes for i in range(parts)])

    words = np.concatenate([parameters(numbers, [0], target.lanes).reshape(-1), _exact(site)])
    operands = (Input(A), Input(B), Packed(words), Output())
    over = ((A, 0), (B, 0)) if target.channels_last and in_place(target, rows) and a.elements == b.elements else ()
    return (KernelCall(rows_function(target, rows, step), operands, (), rows.planes, overlaps=over),)


def whole_block(target: Target) -> int:
    """Channels of which a block is a multiple: any are a block that lies channels last."""
    return 1 if target.channels_last else max(8, target.lanes)


def _quotient(e: Emitter, how: Requantize, exact: Value, codes: tuple[Value, Value]) -> Value:
    """The sum in float32, divided by the scale of the result unless an activation comes first."""
    terms = []
    for i, code in enumerate(codes):
        centred = e.builder.sitofp(e.builder.sub(code, e.splat(e.load_as(I32, exact, ZEROS + i))), e.vector)
        terms.append(e.mul(centred, _number(e, exact, SCALES + i)))
    total = e.add(*terms)
    if how.activation.kind:
        return total
    step, inverse = _number(e, exact, STEP), _number(e, exact, INVERSE)
    return quotient(e, total, step, inverse, LARGE if how.guarded else None)


def _number(e: Emitter, words: Value, index: int) -> Value:
    return e.splat(e.load_as(F32, e.builder.bitcast(e.at(words, index), F32.as_pointer())))


def _exact(site: Site) -> Array:
    """The words that ``_quotient`` reads."""
    (a_scale, a_zero), (b_scale, b_zero), (y_scale, _) = (per_tensor(site, i) for i in (A + 1, B + 1, RESULT))
    made = np.zeros(WORDS, np.int32)
    made[ZEROS:SCALES] = a_zero, b_zero
    made[SCALES:] = np.array([a_scale, b_scale, y_scale, 1 / y_scale], np.float32).view(np.int32)
    return made


def _ending(site: Site, ratios: bool) -> tuple[Requantize, Numbers]:
    (a_scale, a_zero), (b_scale, b_zero), (y_scale, y_zero) = (per_tensor(site, i) for i in (A + 1, B + 1, RESULT))
    result, lanes, activation = site.outputs[0].type.dtype, site.target.lanes, activation_of(site.node)
    inside = activation.kind not in ("", "Relu", "Clip")
    unit = 1.0 if inside else y_scale
    limits = limits_of(site.node, activation, result, y_scale, y_zero)
    offset = -(a_zero * a_scale + b_zero * b_scale) / unit
    how = Requantize(
        result=result,
        added=site.given(B).type.dtype if ratios else "",
        shifted=y_zero != 0,
        limited=limits != LIMITS[result],
        guarded=256 * (a_scale + b_scale) / y_scale >= LARGE,
        activation=activation if inside else Activation(),
    )
    multiplier = np.full(lanes, a_scale / unit)
    return how, Numbers(np.zeros(lanes, np.int32), multiplier, y_zero, limits, (b_scale / unit, offset), 1 / y_scale)


KERNELS = (
    Kernel("quant_add", ("QuantAdd",), select, layout="blocked", last="also"),
    Kernel("quant_add_flat", ("QuantAdd",), select),
)
