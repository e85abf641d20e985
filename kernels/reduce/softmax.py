"""Softmax, LogSoftmax and Hardmax along any axis.

The tensor is seen as [outer, axis, inner]. With inner 1 a row is reduced in registers; otherwise the inner dimension is the
vector and the running maximum and sum of every column lie in scratch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site, Temporary
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer
from edgeopt.kernels.emit.math import function


@cache
def _kernel(op: str, dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    exp, log = function("exp", kind), function("log", kind)
    lowest, zero, one, logarithm = kind(-np.inf), kind(0), kind(1), op == "LogSoftmax"

    def kernel(x: Any, y: Any, top: Any, total: Any, begin: Any, end: Any, n: Any, inner: Any) -> None:
        for chunk in range(begin, end):
            first = chunk * n * inner
            for i in range(inner):
                top[i], total[i] = lowest, zero
            for k in range(n):
                for i in range(inner):
                    value = load(x, first + k * inner + i)
                    top[i] = value if value > top[i] or value != value else top[i]
            for k in range(n):
                for i in range(inner):
                    total[i] += exp(load(x, first + k * inner + i) - top[i])
            for i in range(inner):
                total[i] = log(total[i]) if logarithm else one / total[i]
            for k in range(n):
                for i in range(inner):
                    at = first + k * inner + i
                    shifted = load(x, at) - top[i]
                    store(y, at, shifted - total[i] if logarithm else exp(shifted) * total[i])

    return kernel


@cache
def _hardmax(dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)

    def kernel(x: Any, y: Any, begin: Any, end: Any, n: Any, inner: Any) -> None:
        for chunk in range(begin, end):
            for i in range(inner):
                first, best = chunk * n * inner + i, 0
                for k in range(n):
                    if load(x, first + k * inner) > load(x, first + best * inner):
                        best = k
                for k in range(n):
                    store(y, first + k * inner, kind(k == best))

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x = site.given(0)
    static(x)
    require(x, *FLOATS)
    dtype, axis = x.type.dtype, site.node.integer("axis", -1) % max(len(x.shape), 1)
    outer, n, inner = prod(x.shape[:axis]), prod(x.shape[axis : axis + 1]), prod(x.shape[axis + 1 :])
    if site.node.op == "Hardmax":
        return (KernelCall(_hardmax(dtype), (Input(0), Output(0)), (n, inner), outer),)
    scratch = (Temporary(name, inner, True, np.dtype(scalar(dtype)).name) for name in ("top", "total"))
    key = (site.node.op, dtype)
    return (KernelCall(_kernel(*key), (Input(0), Output(0), *scratch), (n, inner), outer),)


KERNEL = Kernel("softmax", ("Softmax", "LogSoftmax", "Hardmax"), _select)
