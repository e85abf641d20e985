"""QLinearConv and ConvInteger by definition, one output row at a time, in 32-bit integers.

S[n, o, p] = B[o] + sum over c, k of (W[o, c, k] - w_zero[o]) (X[n, c, p stride + k dilation - pad] - x_zero); QLinearConv gives
saturate(round(S x_scale w_scale[o] / y_scale) + y_zero).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import numpy_dtype
from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.elements import require, static
from edgeopt.kernels.emit.intrinsics import rint
from edgeopt.kernels.integer.quantize import limits
from edgeopt.kernels.walk.strided import quotient, remainder
from edgeopt.kernels.walk.window import first_place, first_tap, last_place, last_tap, window


@cache
def _kernel(result: str) -> Callable[..., None]:
    low, high = (np.float32(v) for v in ((0, 0) if result == "int32" else limits(result)))
    scaled = result != "int32"

    def kernel(
        x: Any, w: Any, b: Any, xz: Any, wz: Any, xs: Any, ws: Any, ys: Any, yz: Any, y: Any, row: Any, begin: Any, end: Any,
        per_zero: Any, per_scale: Any, channels: Any, outputs: Any, group: Any,
        xd: Any, xh: Any, xw: Any, yd: Any, yh: Any, yw: Any, kd: Any, kh: Any, kw: Any,
        sd: Any, sh: Any, sw: Any, dd: Any, dh: Any, dw: Any, pd: Any, ph: Any, pw: Any,
    ) -> None:  # fmt: skip
        x_zero = np.int32(xz[0])
        for chunk in range(begin, end):
            h, d = remainder(chunk, yh) * sh - ph, remainder(quotient(chunk, yh), yd) * sd - pd
            image = quotient(chunk, yh * yd)
            o, n = remainder(image, outputs), quotient(image, outputs)
            source = (n * channels * group + quotient(o * group, outputs) * channels) * xd * xh * xw
            w_zero = np.int32(wz[o * per_zero])
            for i in range(yw):
                row[i] = b[o]
            for c in range(channels):
                for a in range(first_tap(d, dd), last_tap(d, dd, xd, kd)):
                    for e in range(first_tap(h, dh), last_tap(h, dh, xh, kh)):
                        line = source + ((c * xd + d + a * dd) * xh + h + e * dh) * xw
                        for t in range(kw):
                            weight = np.int32(w[(((o * channels + c) * kd + a) * kh + e) * kw + t]) - w_zero
                            tap = t * dw - pw
                            for i in range(first_place(tap, sw), last_place(tap, sw, xw, yw)):
                                row[i] += np.int32(weight * (np.int32(x[line + tap + i * sw]) - x_zero))
            for i in range(yw):
                if scaled:
                    factor = xs[0] * ws[o * per_scale] / ys[0]
                    value = rint(np.float32(row[i]) * factor) + np.float32(yz[0])
                    y[chunk * yw + i] = np.int32(max(min(value, high), low))
                else:
                    y[chunk * yw + i] = row[i]

    return kernel


def _call(site: Site, weights: int, operands: tuple[Operand, ...], per: tuple[int, int]) -> tuple[KernelCall, ...]:
    """``operands`` are those before the output; ``per`` the strides of weight zero point and weight scale."""
    x, w, y = site.given(0), site.given(weights), site.outputs[0]
    shape = window(site.node, x.shape[2:], y.shape[2:], w.shape[2:])
    constants = (*per, w.shape[1], w.shape[0], site.node.integer("group", 1), *shape.constants)
    row = Temporary("row", shape.result[2], True, "int32")
    chunks = y.shape[0] * w.shape[0] * shape.result[0] * shape.result[1]
    key = (y.type.dtype,)
    return (KernelCall(_kernel(*key), (*operands, Output(0), row), constants, chunks),)


def zero_point(site: Site, index: int, like: int) -> tuple[Operand, int]:
    """Zero point input ``index`` (0 in the type of input ``like`` when left out) and its stride: 1 when it is per channel."""
    given = site.optional(index)
    if given is None:
        return Packed(np.zeros(1, numpy_dtype(site.given(like).type.dtype))), 0
    return Input(index), int(given.elements > 1)


def _select_quantized(site: Site) -> tuple[KernelCall, ...]:
    static(*site.inputs, site.outputs[0])
    require(site.given(1), "float32")
    w = site.given(3)
    bias: Operand = Input(8) if site.optional(8) is not None else Packed(np.zeros(w.shape[0], np.int32))
    per = (int(site.given(5).elements > 1), int(site.given(4).elements > 1))
    return _call(site, 3, (Input(0), Input(3), bias, *(Input(i) for i in (2, 5, 1, 4, 6, 7))), per)


def _select_integer(site: Site) -> tuple[KernelCall, ...]:
    static(*site.inputs, site.outputs[0])
    (x_zero, _), (w_zero, per) = zero_point(site, 2, 0), zero_point(site, 3, 1)
    bias, one = Packed(np.zeros(site.given(1).shape[0], np.int32)), Packed(np.ones(1, np.float32))
    return _call(site, 1, (Input(0), Input(1), bias, x_zero, w_zero, one, one, one, x_zero), (per, 0))


KERNELS = (
    Kernel("conv_quantized", ("QLinearConv",), _select_quantized),
    Kernel("conv_integer", ("ConvInteger",), _select_integer),
)
