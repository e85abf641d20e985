"""ScatterElements and ScatterND with every reduction: a copy of the data, then the updates in order, on one thread.

Negative indices count from the end; those outside are clamped, never followed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import loader, require, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.move.copy import flat_copy
from edgeopt.kernels.move.gather import by_elements, clamped, indexed_place
from edgeopt.kernels.walk.strided import locate, row_major

_REDUCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "none": lambda old, new: new,
    "add": lambda old, new: old + new,
    "mul": lambda old, new: old * new,
    "max": lambda old, new: new if new > old else old,
    "min": lambda old, new: new if new < old else old,
}


def _reduction(site: Site) -> str:
    name = site.node.text("reduction", "none")
    if name not in _REDUCTIONS:
        raise Declined(f"reduction '{name}'")
    return name


@cache
def _elements(dtype: str, reduction: str) -> Callable[..., None]:
    load, store, kind, combine = loader(dtype), storer(dtype), scalar(dtype), inline(_REDUCTIONS[reduction])

    def kernel(
        at: Any, update: Any, y: Any, begin: Any, end: Any, rows: Any, extent: Any, step: Any, n: Any, last: Any,
        d1: Any, d2: Any, d3: Any, s0: Any, s1: Any, s2: Any, s3: Any,
    ) -> None:  # fmt: skip
        for _ in range(begin, end):
            for row in range(rows):
                first = locate(row, d1, d2, d3, s0, s1, s2, s3)
                for i in range(n):
                    place = first + i * last + clamped(at[row * n + i], extent) * step
                    store(y, place, kind(combine(load(y, place), load(update, row * n + i))))

    return kernel


def _select_elements(site: Site) -> tuple[KernelCall, ...]:
    key = (site.given(0).type.dtype, _reduction(site))
    constants = (prod(site.given(1).shape[:-1]), *by_elements(site))
    return (flat_copy(site), KernelCall(_elements(*key), (Input(1), Input(2), Output(0)), constants, 1))


@cache
def _blocks(dtype: str, reduction: str) -> Callable[..., None]:
    load, store, kind, combine = loader(dtype), storer(dtype), scalar(dtype), inline(_REDUCTIONS[reduction])

    def kernel(
        at: Any, update: Any, y: Any, begin: Any, end: Any, count: Any, depth: Any, inner: Any,
        e0: Any, e1: Any, e2: Any, e3: Any, e4: Any, s0: Any, s1: Any, s2: Any, s3: Any, s4: Any,
    ) -> None:  # fmt: skip
        for _ in range(begin, end):
            for row in range(count):
                place = indexed_place(at, row * depth, depth, e0, e1, e2, e3, e4, s0, s1, s2, s3, s4)
                for i in range(inner):
                    store(y, place + i, kind(combine(load(y, place + i), load(update, row * inner + i))))

    return kernel


def _select_blocks(site: Site) -> tuple[KernelCall, ...]:
    x, at = site.given(0), site.given(1)
    static(x, at)
    require(at, "int64")
    depth = at.shape[-1]
    if not 1 <= depth <= min(5, len(x.shape)):
        raise Declined(f"indices of depth {depth}")
    blank = (0,) * (5 - depth)
    key = (x.type.dtype, _reduction(site))
    constants = (prod(at.shape[:-1]), depth, prod(x.shape[depth:]), *x.shape[:depth], *blank, *row_major(x.shape)[:depth], *blank)
    return (flat_copy(site), KernelCall(_blocks(*key), (Input(1), Input(2), Output(0)), constants, 1))


KERNELS = (
    Kernel("scatter_elements", ("ScatterElements",), _select_elements),
    Kernel("scatter_nd", ("ScatterND",), _select_blocks),
)
