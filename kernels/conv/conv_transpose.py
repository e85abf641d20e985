"""Transposed convolution by its definition, one output row at a time; all attributes, 1-D to 3-D.

Y[n, o, p] = B[o] + sum over c, k, i with i stride + k dilation - pad = p of W[c, o, k] X[n, group(o) + c, i].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import numpy_dtype
from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer
from edgeopt.kernels.walk.phases import transposed_pads
from edgeopt.kernels.walk.strided import quotient, remainder
from edgeopt.kernels.walk.window import Window, first_place, last_place, three


@cache
def _kernel(dtype: str) -> Callable[..., None]:
    load, store = loader(dtype), storer(dtype)

    def kernel(
        x: Any, w: Any, b: Any, y: Any, row: Any, begin: Any, end: Any, channels: Any, outputs: Any, group: Any,
        xd: Any, xh: Any, xw: Any, yd: Any, yh: Any, yw: Any, kd: Any, kh: Any, kw: Any,
        sd: Any, sh: Any, sw: Any, dd: Any, dh: Any, dw: Any, pd: Any, ph: Any, pw: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            h, d = remainder(chunk, yh) + ph, remainder(quotient(chunk, yh), yd) + pd
            image = quotient(chunk, yh * yd)
            o, n = remainder(image, outputs * group), quotient(image, outputs * group)
            first = quotient(o, outputs) * channels
            for i in range(yw):
                row[i] = load(b, o)
            for c in range(first, first + channels):
                for a in range(kd):
                    zd = (d - a * dd) // sd
                    for e in range(kh):
                        zh = (h - e * dh) // sh
                        inside = 0 <= zd < xd and 0 <= zh < xh
                        if inside and zd * sd == d - a * dd and zh * sh == h - e * dh:
                            line = (((n * channels * group + c) * xd + zd) * xh + zh) * xw
                            for t in range(kw):
                                place = ((c * outputs + remainder(o, outputs)) * kd + a) * kh + e
                                weight = load(w, place * kw + t)
                                tap = t * dw - pw
                                for i in range(first_place(tap, sw), last_place(tap, sw, yw, xw)):
                                    row[i * sw + tap] += weight * load(x, line + i)
            for i in range(yw):
                store(y, chunk * yw + i, row[i])

    return kernel


def _window(site: Site, source: tuple[int, ...], result: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    node, rank = site.node, len(kernel)
    strides, dilations = node.integers("strides", [1] * rank), node.integers("dilations", [1] * rank)
    begin = transposed_pads(node, source, result, kernel)
    return Window(
        three(source, 1), three(result, 1), three(kernel, 1), three(strides, 1), three(dilations, 1), three(begin, 0), (0, 0, 0)
    )


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, w, y = site.given(0), site.given(1), site.outputs[0]
    static(x, w, y, site.optional(2))
    require(x, *FLOATS)
    dtype, outputs, group = x.type.dtype, w.shape[1], site.node.integer("group", 1)
    shape = _window(site, x.shape[2:], y.shape[2:], w.shape[2:])
    bias: Operand = Input(2) if site.optional(2) else Packed(np.zeros(outputs * group, numpy_dtype(dtype)))
    row = Temporary("row", shape.result[2], per_thread=True, dtype=np.dtype(scalar(dtype)).name)
    constants = (w.shape[0] // group, outputs, group, *shape.constants)
    chunks = y.shape[0] * y.shape[1] * shape.result[0] * shape.result[1]
    return (KernelCall(_kernel(dtype), (Input(0), Input(1), bias, Output(0), row), constants, chunks),)


KERNEL = Kernel("conv_transpose", ("ConvTranspose",), _select, by_definition=True)
