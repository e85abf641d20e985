"""Ops that walk one axis in order: CumSum, ReverseSequence, Trilu and OneHot."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import loader, scalar, static, storer
from edgeopt.kernels.walk.strided import quotient, remainder


@cache
def _cumulative(dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)

    def kernel(x: Any, y: Any, begin: Any, end: Any, n: Any, inner: Any, exclusive: Any, reverse: Any) -> None:
        for chunk in range(begin, end):
            for i in range(inner):
                total = kind(0)
                for k in range(n):
                    at = (chunk * n + (n - 1 - k if reverse else k)) * inner + i
                    value = load(x, at)
                    store(y, at, total if exclusive else kind(total + value))
                    total = kind(total + value)

    return kernel


def _select_cumulative(site: Site) -> tuple[KernelCall, ...]:
    x, node = site.given(0), site.node
    static(x)
    axis = int(site.constant(1).reshape(-1)[0]) % len(x.shape)
    constants = (x.shape[axis], prod(x.shape[axis + 1 :]), node.integer("exclusive", 0), node.integer("reverse", 0))
    key = (x.type.dtype,)
    return (KernelCall(_cumulative(*key), (Input(0), Output(0)), constants, prod(x.shape[:axis])),)


def _reverse(
    x: Any, lens: Any, y: Any, begin: Any, end: Any, outer: Any, inner: Any, n: Any, batch_first: Any, batch: Any
) -> None:
    for chunk in range(begin, end):
        first, second = quotient(chunk, outer), remainder(chunk, outer)
        b, t = (first, second) if batch_first else (second, first)
        count = min(lens[b], n)
        place = count - 1 - t if t < count else t
        source = b * n + place if batch_first else place * batch + b
        for i in range(inner):
            y[chunk * inner + i] = x[source * inner + i]


def _select_reverse(site: Site) -> tuple[KernelCall, ...]:
    x, node = site.given(0), site.node
    static(x)
    batch_axis, time_axis = node.integer("batch_axis", 1), node.integer("time_axis", 0)
    if {batch_axis, time_axis} != {0, 1}:
        raise Declined("batch and time are not the first two axes")
    constants = (x.shape[1], prod(x.shape[2:]), x.shape[time_axis], int(batch_axis == 0), x.shape[batch_axis])
    return (KernelCall(_reverse, (Input(0), Input(1), Output(0)), constants, x.shape[0] * x.shape[1]),)


def _triangle(x: Any, y: Any, begin: Any, end: Any, rows: Any, columns: Any, k: Any, upper: Any) -> None:
    for chunk in range(begin, end):
        edge = remainder(chunk, rows) + k
        for i in range(columns):
            y[chunk * columns + i] = x[chunk * columns + i]
            if (i < edge) if upper else (i > edge):
                y[chunk * columns + i] = 0  # whatever was there: infinity minus itself would not be zero


def _select_triangle(site: Site) -> tuple[KernelCall, ...]:
    x = site.given(0)
    static(x)
    k = int(site.constant(1).reshape(-1)[0]) if site.optional(1) is not None else 0
    rows, columns = x.shape[-2:]
    constants = (rows, columns, k, site.node.integer("upper", 1))
    return (KernelCall(_triangle, (Input(0), Output(0)), constants, prod(x.shape[:-1])),)


@cache
def _one_hot(indices: str) -> Callable[..., None]:
    load = loader(indices)

    def kernel(at: Any, values: Any, y: Any, begin: Any, end: Any, depth: Any, inner: Any) -> None:
        off, on = values[0], values[1]
        for chunk in range(begin, end):
            for k in range(depth):
                for i in range(inner):
                    place = load(at, chunk * inner + i)
                    hot = place == k or place + depth == k
                    y[(chunk * depth + k) * inner + i] = on if hot else off

    return kernel


def _select_one_hot(site: Site) -> tuple[KernelCall, ...]:
    at, y = site.given(0), site.outputs[0]
    static(at, y)
    axis = site.node.integer("axis", -1) % len(y.shape)
    constants = (y.shape[axis], prod(y.shape[axis + 1 :]))
    key = (at.type.dtype,)
    return (KernelCall(_one_hot(*key), (Input(0), Input(2), Output(0)), constants, prod(y.shape[:axis])),)


KERNELS = (
    Kernel("cum_sum", ("CumSum",), _select_cumulative),
    Kernel("reverse_sequence", ("ReverseSequence",), _select_reverse),
    Kernel("trilu", ("Trilu",), _select_triangle),
    Kernel("one_hot", ("OneHot",), _select_one_hot),
)
