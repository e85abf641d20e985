"""Convolution by its definition, one output row at a time: Conv, FusedConv and PReluConv, any group, dilation, 1-D to 3-D.

Y[n, o, p] = activation(B[o] + sum over c, k of W[o, c, k] X[n, group(o) + c, p stride + k dilation - pad] + R[n, o, p]).
The row is the vector dimension: for each tap, the row of the output gathers a scaled row of the input.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import Node, numpy_dtype
from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.conv.channel_numbers import CONVOLUTIONS, channel_numbers
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.pointwise.unary import Formula, formula
from edgeopt.kernels.walk.strided import quotient, remainder
from edgeopt.kernels.walk.window import first_place, first_tap, last_place, last_tap, window


@cache
def _kernel(dtype: str, activation: str, residual: bool, sloped: bool) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    apply: Formula = formula(activation, dtype)

    def kernel(
        x: Any, w: Any, b: Any, r: Any, y: Any, row: Any, begin: Any, end: Any,
        alpha: Any, beta: Any, channels: Any, outputs: Any, group: Any,
        xd: Any, xh: Any, xw: Any, yd: Any, yh: Any, yw: Any, kd: Any, kh: Any, kw: Any,
        sd: Any, sh: Any, sw: Any, dd: Any, dh: Any, dw: Any, pd: Any, ph: Any, pw: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            h, d = remainder(chunk, yh) * sh - ph, remainder(quotient(chunk, yh), yd) * sd - pd
            image = quotient(chunk, yh * yd)
            o, n = remainder(image, outputs), quotient(image, outputs)
            source = (n * channels * group + quotient(o * group, outputs) * channels) * xd * xh * xw
            for i in range(yw):
                row[i] = load(b, o)
            for c in range(channels):
                for a in range(first_tap(d, dd), last_tap(d, dd, xd, kd)):
                    for e in range(first_tap(h, dh), last_tap(h, dh, xh, kh)):
                        line = source + ((c * xd + d + a * dd) * xh + h + e * dh) * xw
                        for t in range(kw):
                            weight = load(w, (((o * channels + c) * kd + a) * kh + e) * kw + t)
                            tap = t * dw - pw
                            for i in range(first_place(tap, sw), last_place(tap, sw, xw, yw)):
                                row[i] += weight * load(x, line + tap + i * sw)
            for i in range(yw):
                value = row[i]
                if residual:
                    value += load(r, chunk * yw + i)
                if sloped and value < 0:
                    value *= load(b, outputs + o)
                store(y, chunk * yw + i, apply(value, kind(alpha), kind(beta)))

    return kernel


def activation(node: Node) -> tuple[str, float, float]:
    """The activation fused into ``node`` (Identity when there is none) and its two parameters."""
    name = node.text("activation", "") or "Identity"
    given = node.attributes.get("activation_params")
    a, b = (*given, 0.0, 0.0)[:2] if isinstance(given, (list, tuple, np.ndarray)) else (None, None)
    low, high = {"LeakyRelu": (0.01, 0.0), "HardSigmoid": (0.2, 0.5)}.get(name, (0.0, 0.0))
    return name, float(a) if a is not None else node.real("alpha", low), float(b) if b is not None else node.real("beta", high)


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, w, y = site.given(0), site.given(1), site.outputs[0]
    static(x, w, y, site.optional(2), site.optional(3))
    require(x, *FLOATS)
    dtype, outputs, group = x.type.dtype, w.shape[0], site.node.integer("group", 1)
    name, alpha, beta = activation(site.node)
    shape = window(site.node, x.shape[2:], y.shape[2:], w.shape[2:])
    residual, sloped = site.optional(3) is not None, activation_of(site.node).sloped
    bias: Operand = Input(2) if site.optional(2) else Packed(np.zeros(outputs, numpy_dtype(dtype)))
    bias = Packed(channel_numbers(site, outputs, outputs)) if sloped else bias
    key = (dtype, name, residual, sloped)
    row = Temporary("row", shape.result[2], per_thread=True, dtype=np.dtype(scalar(dtype)).name)
    constants = (alpha, beta, w.shape[1], outputs, group, *shape.constants)
    operands: tuple[Operand, ...] = (Input(0), Input(1), bias, Input(3 if residual else 0), Output(0), row)
    chunks = y.shape[0] * outputs * shape.result[0] * shape.result[1]
    return (KernelCall(_kernel(*key), operands, constants, chunks),)


KERNEL = Kernel("conv_direct", CONVOLUTIONS, _select, by_definition=True)
