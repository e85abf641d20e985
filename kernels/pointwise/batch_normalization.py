"""BatchNormalization at inference: Y = (X - mean) scale / sqrt(variance + epsilon) + bias, per channel."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Site
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer, wanted
from edgeopt.kernels.emit.intrinsics import sqrt
from edgeopt.kernels.walk.strided import remainder


@cache
def _kernel(dtype: str, weights: str, moments: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    load_weight, load_moment = loader(weights), loader(moments)

    def kernel(
        x: Any, s: Any, b: Any, mean: Any, variance: Any, y: Any, begin: Any, end: Any, epsilon: Any, channels: Any, n: Any
    ) -> None:
        for chunk in range(begin, end):
            c = remainder(chunk, channels)
            factor = kind(load_weight(s, c)) / sqrt(kind(load_moment(variance, c)) + kind(epsilon))
            centre, shift = kind(load_moment(mean, c)), kind(load_weight(b, c))
            for i in range(chunk * n, (chunk + 1) * n):
                store(y, i, (load(x, i) - centre) * factor + shift)

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, node = site.given(0), site.node
    static(x)
    require(x, *FLOATS)
    if node.integer("training_mode", 0) or wanted(site, 1):
        raise Declined("training mode")
    channels = x.shape[1] if len(x.shape) > 1 else 1
    key = (x.type.dtype, site.given(1).type.dtype, site.given(3).type.dtype)
    operands: tuple[Operand, ...] = (*(Input(i) for i in range(5)), Output(0))
    constants = (node.real("epsilon", 1e-5), channels, prod(x.shape[2:]))
    return (KernelCall(_kernel(*key), operands, constants, x.shape[0] * channels),)


KERNEL = Kernel("batch_normalization", ("BatchNormalization",), _select)
