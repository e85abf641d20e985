"""QuantScaleShift: a factor and an offset for each channel of a blocked map of bytes; other layouts by their meaning.

    y = saturate(round(activation(x_scale (x - x_zero) factor[c] + offset[c]) / y_scale) + y_zero)

Scales and zero points go into factors and offsets, so that a code takes one multiplication and one addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array, TensorType
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Temporary, Tensor
from edgeopt.kernels.emit.elements import static
from edgeopt.kernels.emit.emitter import I8, Emitter
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.integer.quant_operands import LIMITS, limits_of, per_tensor
from edgeopt.kernels.integer.quant_plain import compute, quantized, real_input
from edgeopt.kernels.integer.requantize import Numbers, Requantize, emit_end, parameters
from edgeopt.kernels.walk.byte_rows import rows_function, rows_of

FACTOR, OFFSET, RESULT = 3, 4, 5


def _blocked(site: Site) -> tuple[KernelCall, ...]:
    x, y, target = site.given(0), site.outputs[0], site.target
    rows, block, signed = rows_of(x, y), y.layout.block, x.type.dtype == "int8"
    if block % target.lanes:
        raise Declined("a block is no whole vector")
    how, numbers, inside = _ending(site)
    rows = replace(rows, strides=(rows.strides[0], (0, 2 * block, 0), rows.strides[1]), steady=True)

    def step(e: Emitter, pointers: Sequence[Any], parts: int) -> None:
        codes, lines, words, made = pointers
        values = []
        for i in range(parts):
            wide = e.load_as(ir.VectorType(I8, e.lanes), codes, i * e.lanes)
            value = e.builder.sitofp((e.builder.sext if signed else e.builder.zext)(wide, e.int_vector), e.vector)
            factor, offset = (e.load(lines, part + i * e.lanes % block) for part in (0, block))
            values.append(e.fma(value, factor, offset))
        emit_end(e, how, values, [e.constant(1.0)] * parts, words, [], made, [i * e.lanes for i in range(parts)])

    operands = (Input(0), Packed(_lines(site, inside)), Packed(parameters(numbers, [0], 0)), Output())
    return (KernelCall(rows_function(target, rows, step), operands, (), rows.planes),)


def _ending(site: Site) -> tuple[Requantize, Numbers, bool]:
    """The end, its numbers, and whether an activation is computed on real values, before the scale of the result."""
    (scale, zero), result, activation = per_tensor(site, RESULT), site.outputs[0].type.dtype, activation_of(site.node)
    inside, limits = activation.kind not in ("", "Relu", "Clip"), limits_of(site.node, activation, result, scale, zero)
    how = Requantize(
        result=result,
        shifted=zero != 0,
        limited=limits != LIMITS[result],
        activation=activation if inside else Activation(),
    )
    return how, Numbers(np.zeros(0), np.zeros(0), zero, limits, factor=1 / scale), inside


def _lines(site: Site, inside: bool) -> Array:
    """For each block of channels of each image the factors, then the offsets."""
    (x_scale, x_zero), (y_scale, _), y = per_tensor(site, 1), per_tensor(site, RESULT), site.outputs[0]
    unit = 1.0 if inside else y_scale
    made = np.zeros((2, y.blocks * y.layout.block))
    made[0, : y.shape[1]] = x_scale * site.constant(FACTOR).reshape(-1).astype(np.float64) / unit
    made[1, : y.shape[1]] = site.constant(OFFSET).reshape(-1) / unit - made[0, : y.shape[1]] * x_zero
    lines = made.reshape(2, y.blocks, y.layout.block).swapaxes(0, 1).reshape(y.blocks, -1)
    return np.tile(lines, (y.shape[0], 1)).astype(np.float32)


def _plain(site: Site) -> tuple[KernelCall, ...]:
    y = site.outputs[0]
    static(*site.inputs, y)
    x, memory, calls = real_input(site, 0, None)
    whole = Tensor(TensorType("float32", y.shape))
    scaled, shifted = (Temporary(name, whole.elements) for name in ("scaled", "shifted"))
    calls += compute("Mul", site, (x, site.given(FACTOR)), whole, (memory, Input(FACTOR), scaled))
    calls += compute("Add", site, (whole, site.given(OFFSET)), whole, (scaled, Input(OFFSET), shifted))
    return (*calls, *quantized(site, whole, shifted, RESULT, None))


KERNELS = (
    Kernel("quant_scale", ("QuantScaleShift",), _blocked, layout="blocked"),
    Kernel("quant_scale_plain", ("QuantScaleShift",), _plain),
)
