"""QuantizeLinear and DequantizeLinear with one scale between float32 and bytes, in vectors: of blocked maps and plain tensors.

    y = saturate(round(x / scale) + zero)          x = (y - zero) scale

Quotients round as divisions do, so that the codes are those of the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site
from edgeopt.kernels.emit.emitter import F32, I8, I32, Emitter, Value
from edgeopt.kernels.emit.quotient import quotient
from edgeopt.kernels.integer.quant_operands import LIMITS, per_tensor
from edgeopt.kernels.integer.requantize import LARGE, Numbers, Requantize, emit_end, parameters
from edgeopt.kernels.walk.byte_rows import BYTES, Step, rows_function, rows_of

KINDS = ("float32", *BYTES)


def _quantize(site: Site) -> tuple[KernelCall, ...]:
    dtype, (scale, zero) = _result(site, "float32", BYTES), per_tensor(site, 1)
    if not scale > 0:
        raise Declined("its scale is not positive")
    how = Requantize(result=dtype, shifted=zero != 0, guarded=False)
    words = parameters(Numbers(np.zeros(0), np.zeros(0), zero, LIMITS[dtype]), [0], 0).reshape(-1)

    def step(e: Emitter, pointers: Sequence[Any], parts: int) -> None:
        x, _, numbers, y = pointers
        divisor, inverse = (_number(e, numbers, words.size + i) for i in range(2))
        values = [quotient(e, e.load(x, i * e.lanes), divisor, inverse, LARGE) for i in range(parts)]
        emit_end(e, how, values, [e.constant(1.0)] * parts, numbers, [], y, [i * e.lanes for i in range(parts)])

    return _call(site, step, np.concatenate([words, _floats(scale, float(1 / np.float32(scale)))]))


def _dequantize(site: Site) -> tuple[KernelCall, ...]:
    _result(site, site.given(0).type.dtype, ("float32",))
    if site.given(0).layout.block and not site.node.output.uses:
        raise Declined("its result is an output, and bytes are brought into order sooner than floats")
    signed, (scale, zero) = site.given(0).type.dtype == "int8", per_tensor(site, 1)
    if site.given(0).type.dtype not in BYTES:
        raise Declined("its codes are no bytes")

    def step(e: Emitter, pointers: Sequence[Any], parts: int) -> None:
        x, _, numbers, y = pointers
        factor, offset = _number(e, numbers, 0), e.splat(e.load_as(I32, numbers, 1))
        for i in range(parts):
            codes = e.load_as(ir.VectorType(I8, e.lanes), x, i * e.lanes)
            wide = (e.builder.sext if signed else e.builder.zext)(codes, e.int_vector)
            e.store(e.mul(e.builder.sitofp(e.builder.sub(wide, offset), e.vector), factor), y, i * e.lanes)

    return _call(site, step, np.concatenate([_floats(scale), np.array([zero], np.int32)]))


def _result(site: Site, source: str, results: Sequence[str]) -> str:
    """The element type of the result. Raises Declined for other types, or several scales."""
    x, scale, y = site.given(0), site.given(1), site.outputs[0]
    if x.type.dtype != source or y.type.dtype not in results or scale.type.dtype != "float32":
        raise Declined(f"from {x.type.dtype} to {y.type.dtype}")
    return y.type.dtype


def _call(site: Site, step: Step, words: Array) -> tuple[KernelCall, ...]:
    rows = rows_of(site.given(0), site.outputs[0], dtypes=KINDS)
    operands = (Input(0), Input(0), Packed(words), Output())
    return (KernelCall(rows_function(site.target, rows, step), operands, (), rows.planes, label=site.node.op),)


def _floats(*values: float) -> Array:
    return np.array(values, np.float32).view(np.int32)


def _number(e: Emitter, words: Value, index: int) -> Value:
    return e.splat(e.load_as(F32, e.builder.bitcast(e.at(words, index), F32.as_pointer())))


KERNELS = (
    Kernel("quantize_blocked", ("QuantizeLinear",), _quantize, layout="blocked"),
    Kernel("dequantize_blocked", ("DequantizeLinear",), _dequantize, layout="blocked"),
    Kernel("quantize_flat", ("QuantizeLinear",), _quantize),
    Kernel("dequantize_flat", ("DequantizeLinear",), _dequantize),
)
