"""The float end of DynamicConv and DynamicGemm: bias and activation, after integer sums where these were not scaled yet.

y = activation(sum (x_scale w_scale[c]) + bias[c])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Input, KernelCall, Operand, Output, Packed, Site, Tensor
from edgeopt.kernels.conv_direct import activation
from edgeopt.kernels.unary import Formula, formula

SCALE, WEIGHT, WEIGHT_SCALE, BIAS = 1, 3, 4, 6


@dataclass(frozen=True)
class Channels:
    """How channels lie in the result: chunk c is ``rows`` rows of ``inner`` neighbours, channels (c mod ``groups``) inner + i."""

    chunks: int
    groups: int
    rows: int
    inner: int


def channels(site: Site) -> Channels:
    """The Channels of the first output: the last axis of a product, blocks or planes of a convolution."""
    y: Tensor = site.outputs[0]
    if site.node.op == "DynamicGemm":
        return Channels(prod(y.shape[:-1]), 1, 1, y.shape[-1])
    if y.layout.block:
        return Channels(y.shape[0] * y.blocks, y.blocks, y.plane, y.layout.block)
    return Channels(y.shape[0] * y.shape[1], y.shape[1], prod(y.shape[2:]), 1)


def end_call(site: Site, sums: Operand | None = None) -> tuple[KernelCall, ...]:
    """The call that adds the bias and activates, in place, or from int32 ``sums`` where these are given; none without both."""
    bias = site.optional(BIAS)
    if sums is None and bias is None:
        return ()
    lie = channels(site)
    count, (name, alpha, beta) = lie.groups * lie.inner, activation(site.node)
    offsets = np.zeros(count, np.float32)
    if bias is not None:
        offsets[: bias.elements] = site.constant(BIAS).reshape(-1)
    key = ("dynamic_end", name, sums is not None)
    constants = (lie.groups, lie.rows, lie.inner, alpha, beta)
    if sums is None:
        return (KernelCall(_offset(name), (Packed(offsets), Output()), constants, lie.chunks, key),)
    scales = np.zeros(count, np.float32)
    width = site.outputs[0].shape[-1 if site.node.op == "DynamicGemm" else 1]
    scales[:width] = site.constant(WEIGHT_SCALE).reshape(-1)
    operands = (sums, Input(SCALE), Packed(scales), Packed(offsets), Output())
    return (KernelCall(_scaled(name), operands, constants, lie.chunks, key),)


@cache
def _offset(name: str) -> Callable[..., None]:
    apply: Formula = formula(name, "float32")

    def kernel(b: Any, y: Any, begin: Any, end: Any, groups: Any, rows: Any, inner: Any, alpha: Any, beta: Any) -> None:
        for chunk in range(begin, end):
            first = chunk % groups * inner
            for row in range(chunk * rows, chunk * rows + rows):
                for i in range(inner):
                    value = y[row * inner + i] + b[first + i]
                    y[row * inner + i] = apply(value, np.float32(alpha), np.float32(beta))

    return kernel


@cache
def _scaled(name: str) -> Callable[..., None]:
    apply: Formula = formula(name, "float32")

    def kernel(
        sums: Any, scale: Any, scales: Any, b: Any, y: Any, begin: Any, end: Any, groups: Any, rows: Any, inner: Any,
        alpha: Any, beta: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            first = chunk % groups * inner
            for row in range(chunk * rows, chunk * rows + rows):
                for i in range(inner):
                    value = np.float32(sums[row * inner + i]) * (scale[0] * scales[first + i])
                    y[row * inner + i] = apply(np.float32(value + b[first + i]), np.float32(alpha), np.float32(beta))

    return kernel
