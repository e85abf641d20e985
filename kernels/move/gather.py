"""Gather, GatherElements and GatherND. Negative indices count from the end; those outside are clamped, never followed."""

from __future__ import annotations

from math import prod
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import require, static
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.walk.strided import locate, outer, quotient, remainder, row_major


@inline
def clamped(index: Any, extent: Any) -> Any:
    """``index`` as a position within ``extent``: negative ones count from the end."""
    place = index + extent if index < 0 else index
    return max(min(place, extent - 1), 0)


def _gather(x: Any, at: Any, y: Any, begin: Any, end: Any, extent: Any, count: Any, inner: Any) -> None:
    for chunk in range(begin, end):
        place = clamped(at[remainder(chunk, count)], extent)
        source = (quotient(chunk, count) * extent + place) * inner
        for i in range(inner):
            y[chunk * inner + i] = x[source + i]


def _select_gather(site: Site) -> tuple[KernelCall, ...]:
    x, at = site.given(0), site.given(1)
    static(x, at, site.outputs[0])
    axis = site.node.integer("axis", 0) % len(x.shape)
    count, outer_extent = prod(at.shape), prod(x.shape[:axis])
    constants = (x.shape[axis], count, prod(x.shape[axis + 1 :]))
    return (KernelCall(_gather, (Input(0), Input(1), Output(0)), constants, outer_extent * count),)


def _gather_elements(
    x: Any, at: Any, y: Any, begin: Any, end: Any, extent: Any, step: Any, n: Any, last: Any,
    d1: Any, d2: Any, d3: Any, s0: Any, s1: Any, s2: Any, s3: Any,
) -> None:  # fmt: skip
    for chunk in range(begin, end):
        source = locate(chunk, d1, d2, d3, s0, s1, s2, s3)
        for i in range(n):
            y[chunk * n + i] = x[source + i * last + clamped(at[chunk * n + i], extent) * step]


def _select_elements(site: Site) -> tuple[KernelCall, ...]:
    at = site.given(1)
    constants = by_elements(site)
    return (KernelCall(_gather_elements, (Input(0), Input(1), Output(0)), constants, prod(at.shape[:-1])),)


def by_elements(site: Site) -> tuple[int, ...]:
    """The numbers of a walk over the indices of GatherElements or ScatterElements, row by row.

    The extent of the axis and its step in the data, indices in a row and their step, then the rows' extents and steps.
    """
    x, at = site.given(0), site.given(1)
    static(x, at)
    axis = site.node.integer("axis", 0) % len(x.shape)
    steps = list(row_major(x.shape))
    along, steps[axis] = steps[axis], 0
    extents, (strides,) = outer(at.shape[:-1], steps[:-1])
    return (x.shape[axis], along, at.shape[-1], steps[-1], *extents[1:], *strides)


@inline
def indexed_place(
    at: Any, first: Any, depth: Any,
    e0: Any, e1: Any, e2: Any, e3: Any, e4: Any, s0: Any, s1: Any, s2: Any, s3: Any, s4: Any,
) -> Any:  # fmt: skip
    """Where the ``depth`` indices from ``first`` on lead to, one to five of them, by extents and steps."""
    place = clamped(at[first], e0) * s0
    if depth > 1:
        place += clamped(at[first + 1], e1) * s1
    if depth > 2:
        place += clamped(at[first + 2], e2) * s2
    if depth > 3:
        place += clamped(at[first + 3], e3) * s3
    if depth > 4:
        place += clamped(at[first + 4], e4) * s4
    return place


def _gather_nd(
    x: Any, at: Any, y: Any, begin: Any, end: Any, depth: Any, count: Any, block: Any, inner: Any,
    e0: Any, e1: Any, e2: Any, e3: Any, e4: Any, s0: Any, s1: Any, s2: Any, s3: Any, s4: Any,
) -> None:  # fmt: skip
    for chunk in range(begin, end):
        source = quotient(chunk, count) * block
        source += indexed_place(at, chunk * depth, depth, e0, e1, e2, e3, e4, s0, s1, s2, s3, s4)
        for i in range(inner):
            y[chunk * inner + i] = x[source + i]


def _select_nd(site: Site) -> tuple[KernelCall, ...]:
    x, at = site.given(0), site.given(1)
    static(x, at)
    require(at, "int64")
    batch, depth = site.node.integer("batch_dims", 0), at.shape[-1]
    indexed = x.shape[batch : batch + depth]
    steps = row_major(x.shape)[batch : batch + depth]
    if len(indexed) != depth or depth > 5:
        raise Declined(f"indices of depth {depth}")
    blank = (0,) * (5 - depth)
    sizes = (depth, prod(at.shape[batch:-1]), prod(x.shape[batch:]), prod(x.shape[batch + depth :]))
    constants = (*sizes, *indexed, *blank, *steps, *blank)
    return (KernelCall(_gather_nd, (Input(0), Input(1), Output(0)), constants, prod(at.shape[:-1])),)


KERNELS = (
    Kernel("gather", ("Gather",), _select_gather),
    Kernel("gather_elements", ("GatherElements",), _select_elements),
    Kernel("gather_nd", ("GatherND",), _select_nd),
)
