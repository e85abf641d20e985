"""Pad in every mode. A constant border is a fill and a strided copy; the other modes read through index tables per axis."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import static
from edgeopt.kernels.move.copy import copy_call, fill_call
from edgeopt.kernels.walk.strided import row_major
from edgeopt.kernels.walk.tables import table_call


def pad_extents(site: Site) -> tuple[list[int], list[int]]:
    """Padding before and after every axis. Raises Declined when it is not constant."""
    rank = len(site.given(0).shape)
    given = [int(v) for v in site.constant(1).reshape(-1)]
    axes = [int(a) % rank for a in site.constant(3).reshape(-1)] if site.optional(3) else list(range(rank))
    begin, end = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        begin[axis], end[axis] = given[place], given[place + len(axes)]
    return begin, end


def _constant(site: Site, begin: list[int], end: list[int]) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    inner, outer = row_major(x.shape), row_major(y.shape)
    box = [e + min(b, 0) + min(a, 0) for e, b, a in zip(x.shape, begin, end, strict=True)]
    source = sum(max(-b, 0) * s for b, s in zip(begin, inner, strict=True))
    target = sum(max(b, 0) * s for b, s in zip(begin, outer, strict=True))
    fill = fill_call(site, Input(2) if site.optional(2) else 0)
    if min(box, default=1) <= 0:
        return (fill,)
    return (fill, copy_call(Input(0), Output(0), box, (inner, outer), (source, target)))


def index_table(extent: int, begin: int, result: int, mode: str) -> Array:
    """The position that each of ``result`` padded positions repeats, in the modes other than constant."""
    places = np.arange(result) - begin
    if mode == "edge":
        return places.clip(0, extent - 1)
    if mode == "wrap":
        return places % extent
    period = max(2 * extent - 2, 1)
    folded = places % period
    return np.minimum(folded, period - folded)


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y, mode = site.given(0), site.outputs[0], site.node.text("mode", "constant")
    static(x, y)
    begin, end = pad_extents(site)
    if mode == "constant":
        return _constant(site, begin, end)
    steps = zip(x.shape, begin, y.shape, row_major(x.shape), strict=True)
    return (table_call(y.shape, [index_table(e, b, r, mode) * s for e, b, r, s in steps]),)


KERNEL = Kernel("pad", ("Pad",), _select)
