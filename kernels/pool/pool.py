"""MaxPool, AveragePool and LpPool over one to three spatial dimensions, one output row at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site, Temporary
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer, wanted
from edgeopt.kernels.emit.intrinsics import fabs, inline, one_by_one
from edgeopt.kernels.walk.strided import quotient, remainder
from edgeopt.kernels.walk.window import Window, first_place, first_tap, last_place, last_tap, window

Fold = Callable[[Any, Any, Any], Any]


def lowest(dtype: str) -> float | int:
    """The value no element of ``dtype`` is below."""
    return -np.inf if dtype in FLOATS else int(np.iinfo(dtype).min)


@cache
def _fold(op: str, dtype: str) -> tuple[Fold, Callable[[Any, Any, Any], Any], float | int]:
    """(total, x, p) -> total; (total, count, p) -> result; and where the total starts."""
    kind = scalar(dtype)
    if op == "MaxPool":
        return inline(lambda t, x, p: x if x > t or x != x else t), inline(lambda t, n, p: t), lowest(dtype)
    if op == "AveragePool":
        return inline(lambda t, x, p: t + x), inline(lambda t, n, p: t / kind(n)), 0.0
    power = inline(lambda x, p: fabs(x) if p == 1 else x * x if p == 2 else math.pow(fabs(x), kind(p)))
    root = inline(lambda t, n, p: t if p == 1 else math.sqrt(t) if p == 2 else math.pow(t, kind(1) / kind(p)))
    return inline(lambda t, x, p: t + power(x, p)), root, 0.0


@cache
def _kernel(op: str, dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    fold, finish, start = _fold(op, dtype)
    initial = kind(start)

    def kernel(
        x: Any, y: Any, row: Any, begin: Any, end: Any, p: Any, rd: Any, rh: Any, rw: Any, bd: Any, bh: Any, bw: Any,
        xd: Any, xh: Any, xw: Any, yd: Any, yh: Any, yw: Any, kd: Any, kh: Any, kw: Any,
        sd: Any, sh: Any, sw: Any, dd: Any, dh: Any, dw: Any, pd: Any, ph: Any, pw: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            one_by_one()
            h, d = remainder(chunk, yh) * sh - ph, remainder(quotient(chunk, yh), yd) * sd - pd
            image = quotient(chunk, yh * yd)
            for i in range(yw):
                row[i] = initial
            for a in range(first_tap(d, dd), last_tap(d, dd, xd, kd)):
                for e in range(first_tap(h, dh), last_tap(h, dh, xh, kh)):
                    line = ((image * xd + d + a * dd) * xh + h + e * dh) * xw
                    for t in range(kw):
                        tap = t * dw - pw
                        for i in range(first_place(tap, sw), last_place(tap, sw, xw, yw)):
                            row[i] = fold(row[i], load(x, line + tap + i * sw), p)
            area = last_tap(d + bd, dd, rd, kd) - first_tap(d + bd, dd)
            area *= last_tap(h + bh, dh, rh, kh) - first_tap(h + bh, dh)
            for i in range(yw):
                w = i * sw - pw + bw
                count = area * (last_tap(w, dw, rw, kw) - first_tap(w, dw))
                store(y, chunk * yw + i, finish(row[i], count, p))

    return kernel


@cache
def _indices(dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    initial = kind(lowest(dtype))

    def kernel(
        x: Any, y: Any, z: Any, begin: Any, end: Any, column_major: Any,
        xd: Any, xh: Any, xw: Any, yd: Any, yh: Any, yw: Any, kd: Any, kh: Any, kw: Any,
        sd: Any, sh: Any, sw: Any, dd: Any, dh: Any, dw: Any, pd: Any, ph: Any, pw: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            h, d = remainder(chunk, yh) * sh - ph, remainder(quotient(chunk, yh), yd) * sd - pd
            image = quotient(chunk, yh * yd)
            for i in range(yw):
                best, place = initial, np.int64(-1)  # NaN is the largest, and the first of equal elements counts
                for a in range(first_tap(d, dd), last_tap(d, dd, xd, kd)):
                    for e in range(first_tap(h, dh), last_tap(h, dh, xh, kh)):
                        for t in range(first_tap(i * sw - pw, dw), last_tap(i * sw - pw, dw, xw, kw)):
                            zd, zh, zw = d + a * dd, h + e * dh, i * sw - pw + t * dw
                            value = load(x, ((image * xd + zd) * xh + zh) * xw + zw)
                            if place < 0 or value > best or (value != value and best == best):
                                best = value
                                rows = (zd * xh + zh) * xw + zw
                                place = (zw * xh + zh) * xd + zd if column_major else rows
                store(y, chunk * yw + i, best)
                z[chunk * yw + i] = image * xd * xh * xw + max(place, 0)

    return kernel


def _window(site: Site) -> Window:
    x, y = site.given(0), site.outputs[0]
    static(x, y)
    return window(site.node, x.shape[2:], y.shape[2:], site.node.integers("kernel_shape"))


def _counted(shape: Window, padding: bool) -> tuple[int, ...]:
    """Extent and first position of what a window may count: the source, or the source with its padding."""
    if not padding:
        return (*shape.source, 0, 0, 0)
    return (*(s + b + e for s, b, e in zip(shape.source, shape.begin, shape.end, strict=True)), *shape.begin)


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y, shape, node = site.given(0), site.outputs[0], _window(site), site.node
    dtype = x.type.dtype
    chunks = y.shape[0] * y.shape[1] * shape.result[0] * shape.result[1]
    if wanted(site, 1):
        constants = (node.integer("storage_order", 0), *shape.constants)
        return (KernelCall(_indices(dtype), (Input(0), Output(0), Output(1)), constants, chunks),)
    if node.op != "MaxPool":
        require(x, *FLOATS)
    row = Temporary("row", shape.result[2], per_thread=True, dtype=np.dtype(scalar(dtype)).name)
    constants = (node.integer("p", 2), *_counted(shape, bool(node.integer("count_include_pad", 0))), *shape.constants)
    return (KernelCall(_kernel(node.op, dtype), (Input(0), Output(0), row), constants, chunks),)


KERNEL = Kernel("pool", ("MaxPool", "AveragePool", "LpPool"), _select)
