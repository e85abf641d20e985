"""LRN: Y[c] = X[c] / (bias + alpha / size * sum of X[k]^2 over the channels k around c)^beta."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site, Temporary
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import sqrt
from edgeopt.kernels.emit.math import function
from edgeopt.kernels.walk.strided import remainder


@cache
def _kernel(dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    exp, log = function("exp", kind), function("log", kind)

    def kernel(
        x: Any, y: Any, row: Any, begin: Any, end: Any, scale: Any, beta: Any, bias: Any,
        channels: Any, below: Any, above: Any, n: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            c = remainder(chunk, channels)
            for i in range(n):
                row[i] = kind(0)
            for k in range(max(c - below, 0), min(c + above + 1, channels)):
                for i in range(n):
                    value = load(x, (chunk - c + k) * n + i)
                    row[i] += value * value
            for i in range(n):
                base = kind(bias) + kind(scale) * row[i]
                root = sqrt(base)
                power = root * sqrt(root) if beta == 0.75 else exp(kind(beta) * log(base))
                store(y, chunk * n + i, load(x, chunk * n + i) / power)

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, node = site.given(0), site.node
    static(x)
    require(x, *FLOATS)
    size, n = node.integer("size", 1), prod(x.shape[2:])
    row = Temporary("row", n, True, np.dtype(scalar(x.type.dtype)).name)
    reals = (node.real("alpha", 1e-4) / size, node.real("beta", 0.75), node.real("bias", 1.0))
    constants = (*reals, x.shape[1], (size - 1) // 2, math.ceil((size - 1) / 2), n)
    key = (x.type.dtype,)
    return (KernelCall(_kernel(*key), (Input(0), Output(0), row), constants, x.shape[0] * x.shape[1]),)


KERNEL = Kernel("lrn", ("LRN",), _select)
