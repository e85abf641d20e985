"""Elementwise choice: Clip with bounds that may be computed at run time, and Where."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import numpy_dtype
from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Output, Packed, Site
from edgeopt.kernels.emit.elements import FLOATS, loader, static, storer
from edgeopt.kernels.walk.strided import broadcast, grid, locate, row_major


@cache
def _clip(dtype: str) -> Callable[..., None]:
    load, store = loader(dtype), storer(dtype)

    def kernel(x: Any, low: Any, high: Any, y: Any, begin: Any, end: Any, n: Any) -> None:
        lowest, highest = load(low, 0), load(high, 0)
        for i in range(begin * n, end * n):
            value = load(x, i)
            raised = lowest if value < lowest else value
            store(y, i, highest if raised > highest else raised)

    return kernel


def _limits(dtype: str) -> tuple[float | int, float | int]:
    return (-np.inf, np.inf) if dtype in FLOATS else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def _select_clip(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    static(x, y)
    dtype = x.type.dtype
    bounds: list[Operand] = [
        Input(i) if site.optional(i) else Packed(np.array([limit], numpy_dtype(dtype)))
        for i, limit in zip((1, 2), _limits(dtype), strict=True)
    ]
    cells = grid(y.shape, row_major(y.shape))
    constants = (y.elements // max(cells.chunks, 1),)
    return (KernelCall(_clip(dtype), (Input(0), *bounds, Output(0)), constants, cells.chunks),)


def _where(
    c: Any, x: Any, y: Any, z: Any, begin: Any, end: Any,
    d1: Any, d2: Any, d3: Any, m: Any, n: Any,
    c0: Any, c1: Any, c2: Any, c3: Any, c4: Any, c5: Any,
    x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any,
    y0: Any, y1: Any, y2: Any, y3: Any, y4: Any, y5: Any,
) -> None:  # fmt: skip
    for chunk in range(begin, end):
        p = locate(chunk, d1, d2, d3, c0, c1, c2, c3)
        a = locate(chunk, d1, d2, d3, x0, x1, x2, x3)
        b = locate(chunk, d1, d2, d3, y0, y1, y2, y3)
        for j in range(m):
            for i in range(n):
                left, right = x[a + j * x4 + i * x5], y[b + j * y4 + i * y5]
                z[(chunk * m + j) * n + i] = left if c[p + j * c4 + i * c5] != 0 else right


def _select_where(site: Site) -> tuple[KernelCall, ...]:
    parts, z = [site.given(i) for i in range(3)], site.outputs[0]
    static(z, *parts)
    cells = grid(z.shape, row_major(z.shape), *(broadcast(p.shape, z.shape) for p in parts))
    constants = cells.constants[:5] + cells.constants[11:]
    return (KernelCall(_where, (Input(0), Input(1), Input(2), Output(0)), constants, cells.chunks),)


KERNELS = (Kernel("clip", ("Clip",), _select_clip), Kernel("where", ("Where",), _select_where))
