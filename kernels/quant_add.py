"""QuantAdd of two maps of one shape in the blocked layout.

y = saturate(round(activation(a_scale (a - a_zero) + b_scale (b - b_zero)) / y_scale) + y_zero)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llvmlite import ir

from edgeopt.kernels.byte_rows import rows_function, rows_of
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site
from edgeopt.kernels.emit import I8, Emitter, Value
from edgeopt.kernels.epilogue import Activation, activation_of
from edgeopt.kernels.quant_operands import LIMITS, limits_of, per_tensor
from edgeopt.kernels.requantize import HEADER, LARGE, Numbers, Requantize, emit_end, parameters

A, B, RESULT = 0, 3, 6


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantAdd. Raises Declined for broadcasts and other layouts."""
    a, b, y, target = site.given(A), site.given(B), site.outputs[0], site.target
    if a.shape != y.shape or b.shape != y.shape:
        raise Declined("an operand is broadcast")
    rows = rows_of(a, b, y)
    if y.layout.block % max(8, target.lanes):  # blocks of four nowhere, so that every target rounds alike
        raise Declined("a block is no whole vector")
    how, numbers = _ending(site)
    signed = a.type.dtype == "int8"

    def step(e: Emitter, pointers: Sequence[Value], parts: int) -> None:
        x, z, words, out = pointers
        bytes_ = ir.VectorType(I8, e.lanes)
        widen = e.builder.sext if signed else e.builder.zext
        codes = [e.load_as(bytes_, x, i * e.lanes) for i in range(parts)]
        added = [e.load_as(bytes_, z, i * e.lanes) for i in range(parts)]
        multiplier = e.builder.bitcast(e.load_as(e.int_vector, words, HEADER + e.lanes), e.vector)
        sums = [widen(c, e.int_vector) for c in codes]
        emit_end(e, how, sums, [multiplier] * parts, words, added, out, [i * e.lanes for i in range(parts)])

    words = parameters(numbers, [0], target.lanes)
    key = ("quant_add", target, rows, how, signed)
    operands = (Input(A), Input(B), Packed(words), Output())
    return (KernelCall(rows_function(target, rows, step), operands, (), rows.planes, key),)


def _ending(site: Site) -> tuple[Requantize, Numbers]:
    (a_scale, a_zero), (b_scale, b_zero), (y_scale, y_zero) = (per_tensor(site, i) for i in (A + 1, B + 1, RESULT))
    result, lanes, activation = site.outputs[0].type.dtype, site.target.lanes, activation_of(site.node)
    inside = activation.kind not in ("", "Relu", "Clip")
    unit = 1.0 if inside else y_scale
    limits = limits_of(activation, result, y_scale, y_zero)
    offset = -(a_zero * a_scale + b_zero * b_scale) / unit
    how = Requantize(
        result=result,
        added=site.given(B).type.dtype,
        shifted=y_zero != 0,
        limited=limits != LIMITS[result],
        guarded=256 * (a_scale + b_scale) / y_scale >= LARGE,
        activation=activation if inside else Activation(),
    )
    multiplier = np.full(lanes, a_scale / unit)
    return how, Numbers(np.zeros(lanes, np.int32), multiplier, y_zero, limits, (b_scale / unit, offset), 1 / y_scale)


KERNEL = Kernel("quant_add", ("QuantAdd",), select, layout="blocked")
