"""Softmax of float32 in vectors, each exponential computed once: it is stored as the row is summed, and scaled in place.

The tensor is seen as [outer, axis, inner]. With inner 1 a row's elements lie in the lanes; otherwise each lane is a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import require, static
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.emit.vector_math import exp
from edgeopt.kernels.reduce.row_vectors import CRUMB, along, only
from edgeopt.target import Target

_LOWEST = -87.3  # e to what lies below is zero


def exponential(e: Emitter, x: Value, top: Value) -> Value:
    """e^(x - top), zero where that is no normal number."""
    shifted = e.sub(x, top)
    low = e.builder.fcmp_ordered("<", shifted, e.constant(_LOWEST))
    return e.builder.select(low, e.constant(0.0), exp(e, shifted))


def _emit_row(e: Emitter, n: int, x: Value, y: Value) -> None:
    least = e.constant(-np.inf)

    def largest(at: Value, lanes: int, top: Value) -> Value:
        return e.maximum(only(e, e.load_first(e.at(x, at), lanes), lanes, least), top)

    top = e.splat(e.reduce_maximum(along(e, n, least, largest, e.maximum)))

    def summed(at: Value, lanes: int, total: Value) -> Value:
        value = exponential(e, e.load_first(e.at(x, at), lanes), top)
        e.store_first(value, e.at(y, at), lanes)
        return e.add(total, only(e, value, lanes, e.constant(0.0)))

    total = e.reduce_add(along(e, n, e.constant(0.0), summed, e.add))
    inverse = e.splat(e.builder.fdiv(ir.Constant(ir.FloatType(), 1.0), total))

    def scaled(at: Value, lanes: int, factor: Value) -> Value:
        e.store_first(e.mul(e.load_first(e.at(y, at), lanes), factor), e.at(y, at), lanes)
        return factor

    along(e, n, inverse, scaled, lambda a, b: a)


def _emit_columns(e: Emitter, n: int, inner: int, lanes: int, x: Value, y: Value) -> None:
    """A vector of columns, of which ``lanes`` exist."""

    def at(pointer: Value, index: Value) -> Value:
        return e.at(pointer, e.builder.mul(index, integer(inner)))

    def largest(index: Value, top: Value) -> Sequence[Value]:
        return [e.maximum(e.load_first(at(x, index), lanes), top)]

    (top,) = e.loop(n, [e.constant(-np.inf)], largest)

    def summed(index: Value, total: Value) -> Sequence[Value]:
        value = exponential(e, e.load_first(at(x, index), lanes), top)
        e.store_first(value, at(y, index), lanes)
        return [e.add(total, value)]

    (total,) = e.loop(n, [e.constant(0.0)], summed)
    inverse = e.div(e.constant(1.0), total)

    def scaled(index: Value) -> Sequence[Value]:
        e.store_first(e.mul(e.load_first(at(y, index), lanes), inverse), at(y, index), lanes)
        return []

    e.loop(n, [], scaled)


def _rows(target: Target, n: int, outer: int, run: int) -> Callable[..., None]:
    def emit(e: Emitter, x: Value, y: Value) -> None:
        _emit_row(e, n, x, y)

    row = vector_function(target, 2, emit)

    def softmax(x: Any, y: Any, begin: Any, end: Any) -> None:
        for i in range(begin * run, min(end * run, outer)):
            row(offset(x, i * n), offset(y, i * n))

    return softmax


def _columns(target: Target, n: int, inner: int) -> Callable[..., None]:
    lanes = target.lanes
    groups, tail = divmod(inner, lanes)

    def whole(e: Emitter, x: Value, y: Value) -> None:
        _emit_columns(e, n, inner, lanes, x, y)

    def partly(e: Emitter, x: Value, y: Value) -> None:
        _emit_columns(e, n, inner, tail or lanes, x, y)

    columns, rest = vector_function(target, 2, whole), vector_function(target, 2, partly)

    def softmax(x: Any, y: Any, begin: Any, end: Any) -> None:
        for chunk in range(begin, end):
            first = chunk * n * inner
            for i in range(groups):
                columns(offset(x, first + i * lanes), offset(y, first + i * lanes))
            if tail:
                rest(offset(x, first + groups * lanes), offset(y, first + groups * lanes))

    return softmax


def _select(site: Site) -> tuple[KernelCall, ...]:
    x = site.given(0)
    static(x)
    require(x, "float32")
    if not x.shape or 0 in x.shape:
        raise Declined("there is no axis to go along")
    axis = site.node.integer("axis", -1) % len(x.shape)
    outer, n, inner = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
    if inner == 1:
        run = min(outer, -(-CRUMB // n))
        return (KernelCall(_rows(site.target, n, outer, run), (Input(0), Output()), (), -(-outer // run)),)
    return (KernelCall(_columns(site.target, n, inner), (Input(0), Output()), (), outer),)


KERNEL = Kernel("softmax_vector", ("Softmax",), _select)
