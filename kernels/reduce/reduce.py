"""Reductions over any axes, and the global pools, which reduce the spatial axes.

Kept dimensions are merged to four, reduced ones to three. When a kept dimension is contiguous it is the vector dimension and
accumulates in a scratch row; otherwise the row has one element and the innermost reduced dimension is the vector.
Long sums are taken in blocks, whose sums are added: a float32 that has grown by 2^24 elements no longer takes in the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site, Temporary
from edgeopt.kernels.emit.elements import FLOATS, loader, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import fabs, inline, sqrt
from edgeopt.kernels.emit.math import function
from edgeopt.kernels.move.copy import flat_copy
from edgeopt.kernels.walk.strided import locate, merge, outer, row_major

_GLOBAL = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax", "GlobalLpPool": "GlobalLpPool"}
BLOCK = 1 << 14  # elements that are added one by one
_FLOAT_ONLY = ("ReduceMean", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "GlobalLpPool")


def _start(op: str, dtype: str) -> float | int:
    floating = dtype in FLOATS
    if op in ("ReduceMax", "ReduceLogSumExp"):
        return -np.inf if floating else 0 if dtype == "bool" else int(np.iinfo(dtype).min)
    if op == "ReduceMin":
        return np.inf if floating else 1 if dtype == "bool" else int(np.iinfo(dtype).max)
    return 1 if op == "ReduceProd" else 0


def _fold(op: str, kind: Any) -> Callable[[Any, Any, Any], Any]:
    """(total, element, power) -> total."""
    zero = kind(0)
    table: dict[str, Callable[[Any, Any, Any], Any]] = {
        "ReduceMax": lambda t, x, p: x if x > t or x != x else t,
        "ReduceMin": lambda t, x, p: x if x < t or x != x else t,
        "ReduceProd": lambda t, x, p: t * x,
        "ReduceL1": lambda t, x, p: t + (-x if x < zero else x),
        "ReduceL2": lambda t, x, p: t + x * x,
        "ReduceSumSquare": lambda t, x, p: t + x * x,
        "GlobalLpPool": lambda t, x, p: t + math.pow(fabs(x), kind(p)),
    }
    return inline(table.get(op, lambda t, x, p: t + x))


def _join(op: str, kind: Any) -> Callable[[Any, Any], Any]:
    """(total, total of a block) -> total."""
    fold = _fold(op, kind) if op in ("ReduceMax", "ReduceMin", "ReduceProd") else _fold("ReduceSum", kind)
    return inline(lambda t, part: fold(t, part, 0))


def _finish(op: str, kind: Any) -> Callable[[Any, Any, Any], Any]:
    """(total, count, power) -> result."""
    if op not in _FLOAT_ONLY:
        return inline(lambda t, n, p: t)
    log = function("log", kind)
    table: dict[str, Callable[[Any, Any, Any], Any]] = {
        "ReduceMean": lambda t, n, p: t / kind(n),
        "ReduceL2": lambda t, n, p: sqrt(t),
        "ReduceLogSum": lambda t, n, p: log(t),
        "GlobalLpPool": lambda t, n, p: math.pow(t, kind(1) / kind(p)),
    }
    return inline(table[op])


@cache
def _kernel(op: str, dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    fold, finish, start = _fold(op, kind), _finish(op, kind), kind(_start(op, dtype))

    def kernel(
        x: Any, y: Any, row: Any, begin: Any, end: Any, p: Any, count: Any, n: Any, step: Any,
        d1: Any, d2: Any, d3: Any, s0: Any, s1: Any, s2: Any, s3: Any,
        r0: Any, r1: Any, r2: Any, t0: Any, t1: Any, t2: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            first = locate(chunk, d1, d2, d3, s0, s1, s2, s3)
            for j in range(n):
                row[j] = start
            for a in range(r0):
                for b in range(r1):
                    line = first + a * t0 + b * t1
                    for c in range(r2):
                        for j in range(n):
                            row[j] = kind(fold(row[j], load(x, line + c * t2 + j * step), p))
            for j in range(n):
                store(y, chunk * n + j, finish(row[j], count, p))

    return kernel


@cache
def _long(op: str, dtype: str) -> Callable[..., None]:
    """As ``_kernel``; ``row`` is of 2 n elements, the totals and behind them those of a block."""
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    fold, join, finish, start = _fold(op, kind), _join(op, kind), _finish(op, kind), kind(_start(op, dtype))

    def kernel(
        x: Any, y: Any, row: Any, begin: Any, end: Any, p: Any, count: Any, n: Any, step: Any,
        d1: Any, d2: Any, d3: Any, s0: Any, s1: Any, s2: Any, s3: Any,
        r0: Any, r1: Any, r2: Any, t0: Any, t1: Any, t2: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            first = locate(chunk, d1, d2, d3, s0, s1, s2, s3)
            for j in range(n):
                row[j] = start
            for a in range(r0):
                for b in range(r1):
                    for block in range((r2 + BLOCK - 1) // BLOCK):
                        line, size = first + a * t0 + b * t1 + block * BLOCK * t2, min(BLOCK, r2 - block * BLOCK)
                        for j in range(n):
                            row[n + j] = start
                        for c in range(size):
                            for j in range(n):
                                row[n + j] = kind(fold(row[n + j], load(x, line + c * t2 + j * step), p))
                        for j in range(n):
                            row[j] = kind(join(row[j], row[n + j]))
            for j in range(n):
                store(y, chunk * n + j, finish(row[j], count, p))

    return kernel


@cache
def _log_sum_exp(dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    exp, log = function("exp", kind), function("log", kind)
    lowest, zero, infinity = kind(-np.inf), kind(0), kind(np.inf)

    def kernel(
        x: Any, y: Any, row: Any, begin: Any, end: Any, p: Any, count: Any, n: Any, step: Any,
        d1: Any, d2: Any, d3: Any, s0: Any, s1: Any, s2: Any, s3: Any,
        r0: Any, r1: Any, r2: Any, t0: Any, t1: Any, t2: Any,
    ) -> None:  # fmt: skip
        for at in range(begin * n, end * n):
            first = locate(at // n, d1, d2, d3, s0, s1, s2, s3) + at % n * step
            top, total = lowest, zero
            for a in range(r0):
                for b in range(r1):
                    for c in range(r2):
                        value = load(x, first + a * t0 + b * t1 + c * t2)
                        top = value if value > top or value != value else top
            shift = top if fabs(top) != infinity else zero
            for a in range(r0):
                for b in range(r1):
                    for c in range(r2):
                        total += exp(load(x, first + a * t0 + b * t1 + c * t2) - shift)
            store(y, at, log(total) + shift)

    return kernel


def reduced_axes(site: Site) -> tuple[int, ...]:
    """The axes a Reduce op reduces, from its attribute or its constant input; () for none. Raises Declined."""
    rank, node = len(site.given(0).shape), site.node
    if node.op in _GLOBAL:
        return tuple(range(2, rank))
    given = site.constant(1).reshape(-1) if site.optional(1) else node.integers("axes")
    axes = tuple(sorted({int(a) % rank for a in given}))
    return axes if axes or node.integer("noop_with_empty_axes", 0) else tuple(range(rank))


def reduce_call(site: Site, op: str, axes: tuple[int, ...]) -> KernelCall:
    """Reduce input 0 of ``site`` by ``op`` over ``axes`` into output 0. Raises Declined."""
    x, dtype = site.given(0), site.given(0).type.dtype
    if dtype not in FLOATS and op in _FLOAT_ONLY:
        raise Declined(f"{op} of element type {dtype}")
    steps, kept = row_major(x.shape), [a for a in range(len(x.shape)) if a not in axes]
    extents, (strides,) = merge([x.shape[a] for a in kept], [steps[a] for a in kept])
    vector = strides[-1] == 1 and extents[-1] >= 4 and x.shape[-1] != 1 and len(x.shape) - 1 not in axes
    n = extents.pop() if vector else 1
    kept_extents, (kept_steps,) = outer(extents, strides[: len(extents)])
    inner, (inner_steps,) = merge([x.shape[a] for a in axes], [steps[a] for a in axes])
    missing = 3 - len(inner)
    if missing < 0:
        raise Declined("more than three independent reduced dimensions")
    walk = (*(1,) * missing, *inner, *(0,) * missing, *inner_steps)
    constants = (site.node.integer("p", 2), math.prod(inner), n, 1, *kept_extents[1:], *kept_steps, *walk)
    long = math.prod(inner) > BLOCK and dtype in FLOATS
    function_ = _log_sum_exp(dtype) if op == "ReduceLogSumExp" else (_long if long else _kernel)(op, dtype)
    row = Temporary("row", 2 * n if long else n, True, np.dtype(scalar(dtype)).name)
    return KernelCall(function_, (Input(0), Output(0), row), constants, math.prod(kept_extents))


def _select(site: Site) -> tuple[KernelCall, ...]:
    static(site.given(0), site.outputs[0])
    axes, op = reduced_axes(site), _GLOBAL.get(site.node.op, site.node.op)
    if not axes and op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd"):
        return (flat_copy(site),)
    return (reduce_call(site, op, axes),)


_OPS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
KERNEL = Kernel("reduce", (*_GLOBAL, *(f"Reduce{op}" for op in _OPS)), _select)
