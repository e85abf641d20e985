"""QuantConv and QuantGemm of any shape in 32-bit integers, one output row at a time.

    y = saturate(round(activation((bias[o] + sum (x - x_zero) (w - w_zero)) x_scale w_scale[o] + r) / y_scale) + y_zero)

or the activation itself where the result is float. A row is the vector dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.conv_direct import activation
from edgeopt.kernels.elements import static
from edgeopt.kernels.intrinsics import inline, rint
from edgeopt.kernels.quant_operands import BIAS, LIMITS, RESIDUAL, RESULT, WEIGHT, grid, per_tensor
from edgeopt.kernels.strided import quotient, remainder
from edgeopt.kernels.unary import formula
from edgeopt.kernels.window import first_place, first_tap, last_place, last_tap, window

Finish = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Product:
    """What both operators read besides x: the centred weight, bias and factor of each output, zero points, scales, activation."""

    weight: Array
    bias: Array
    factor: Array
    numbers: tuple[float | int, ...]
    key: tuple[str, str, str]
    residual: Operand


@cache
def _finish(activated: str, result: str, residual: str) -> Finish:
    """The inline function (sum, factor, r, at, numbers...) -> element of the result."""
    apply, added, integer = formula(activated, "float32"), residual != "", result != "float32"
    low, high = (np.float32(v) for v in LIMITS.get(result, (0, 0)))

    @inline
    def finish(total: Any, factor: Any, r: Any, at: Any, alpha: Any, beta: Any, inverse: Any, zero: Any, step: Any, rz: Any) -> Any:
        value = np.float32(total) * factor
        if added:
            value += np.float32(np.int32(r[at]) - np.int32(rz)) * step
        value = apply(value, alpha, beta)
        if integer:
            return np.int32(max(min(rint(value * inverse) + zero, high), low))
        return value

    return finish


def _product(site: Site, axis: int) -> Product:
    x, y, node = site.given(0), site.outputs[0], site.node
    static(*site.inputs, y)
    if x.type.dtype not in LIMITS or y.type.dtype not in (*LIMITS, "float32"):
        raise Declined(f"element types {x.type.dtype} and {y.type.dtype}")
    (x_scale, x_zero), weights = per_tensor(site, 1), grid(site, WEIGHT + 1)
    codes = site.constant(WEIGHT)
    outputs = codes.shape[axis]
    shape = [-1 if i == axis else 1 for i in range(codes.ndim)]
    centred = (codes.astype(np.int32) - weights.zero.reshape(shape if weights.zero.size > 1 else [1] * codes.ndim)).astype(np.int16)
    bias = site.constant(BIAS) if site.optional(BIAS) is not None else np.zeros(outputs, np.int32)
    factor = np.broadcast_to((x_scale * weights.scale).astype(np.float32), (outputs,))
    y_scale, y_zero = per_tensor(site, RESULT) if y.type.dtype != "float32" else (1.0, 0)
    residual = site.optional(RESIDUAL)
    r_scale, r_zero = per_tensor(site, RESIDUAL + 1) if residual is not None else (0.0, 0)
    name, alpha, beta = activation(node)
    numbers = (x_zero, r_zero, alpha, beta, 1 / y_scale, float(y_zero), r_scale)
    key = (name, y.type.dtype, residual.type.dtype if residual is not None else "")
    added = Input(RESIDUAL) if residual is not None else Input(0)
    return Product(centred, np.broadcast_to(bias.reshape(-1), (outputs,)), factor, numbers, key, added)


@cache
def _conv(activated: str, result: str, residual: str) -> Callable[..., None]:
    finish = _finish(activated, result, residual)

    def kernel(
        x: Any, w: Any, b: Any, f: Any, r: Any, y: Any, row: Any, begin: Any, end: Any,
        xz: Any, rz: Any, alpha: Any, beta: Any, inverse: Any, zero: Any, step: Any, channels: Any, outputs: Any, group: Any,
        xd: Any, xh: Any, xw: Any, yd: Any, yh: Any, yw: Any, kd: Any, kh: Any, kw: Any,
        sd: Any, sh: Any, sw: Any, dd: Any, dh: Any, dw: Any, pd: Any, ph: Any, pw: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            h, d = remainder(chunk, yh) * sh - ph, remainder(quotient(chunk, yh), yd) * sd - pd
            image = quotient(chunk, yh * yd)
            o, n = remainder(image, outputs), quotient(image, outputs)
            source = (n * channels * group + quotient(o * group, outputs) * channels) * xd * xh * xw
            for i in range(yw):
                row[i] = b[o]
            for c in range(channels):
                for a in range(first_tap(d, dd), last_tap(d, dd, xd, kd)):
                    for e in range(first_tap(h, dh), last_tap(h, dh, xh, kh)):
                        line = source + ((c * xd + d + a * dd) * xh + h + e * dh) * xw
                        for t in range(kw):
                            weight = np.int32(w[(((o * channels + c) * kd + a) * kh + e) * kw + t])
                            tap = t * dw - pw
                            for i in range(first_place(tap, sw), last_place(tap, sw, xw, yw)):
                                row[i] += np.int32(weight * (np.int32(x[line + tap + i * sw]) - np.int32(xz)))
            for i in range(yw):
                at = chunk * yw + i
                y[at] = finish(row[i], f[o], r, at, alpha, beta, inverse, zero, step, rz)

    return kernel


@cache
def _gemm(activated: str, result: str, residual: str) -> Callable[..., None]:
    finish = _finish(activated, result, residual)

    def kernel(
        x: Any, w: Any, b: Any, f: Any, r: Any, y: Any, row: Any, begin: Any, end: Any,
        xz: Any, rz: Any, alpha: Any, beta: Any, inverse: Any, zero: Any, step: Any, n: Any, depth: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            for j in range(n):
                row[j] = b[j]
            for k in range(depth):
                factor = np.int32(x[chunk * depth + k]) - np.int32(xz)
                for j in range(n):
                    row[j] += np.int32(factor * np.int32(w[k * n + j]))
            for j in range(n):
                at = chunk * n + j
                y[at] = finish(row[j], f[j], r, at, alpha, beta, inverse, zero, step, rz)

    return kernel


def _call(product: Product, function: Callable[..., None], rest: tuple[int, ...], row: int, chunks: int) -> tuple[KernelCall, ...]:
    given = (Packed(product.weight), Packed(product.bias), Packed(product.factor), product.residual, Output(0))
    operands: tuple[Operand, ...] = (Input(0), *given, Temporary("row", row, True, "int32"))
    return (KernelCall(function, operands, (*product.numbers, *rest), chunks, product.key),)


def _select_conv(site: Site) -> tuple[KernelCall, ...]:
    product, x, w, y = _product(site, 0), site.given(0), site.given(WEIGHT), site.outputs[0]
    shape = window(site.node, x.shape[2:], y.shape[2:], w.shape[2:])
    rest = (w.shape[1], w.shape[0], site.node.integer("group", 1), *shape.constants)
    return _call(product, _conv(*product.key), rest, shape.result[2], y.shape[0] * w.shape[0] * shape.result[0] * shape.result[1])


def _select_gemm(site: Site) -> tuple[KernelCall, ...]:
    product, w = _product(site, 1), site.given(WEIGHT)
    depth, columns = w.shape
    return _call(product, _gemm(*product.key), (columns, depth), columns, prod(site.outputs[0].shape[:-1]))


KERNELS = (
    Kernel("quant_conv_plain", ("QuantConv",), _select_conv),
    Kernel("quant_gemm_plain", ("QuantGemm",), _select_gemm),
)
