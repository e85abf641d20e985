"""GridSample in two and three dimensions: nearest, linear and cubic, with every padding and alignment.

A source position is separable: its taps along an axis are the positions first, first + 1, ... with weights that depend on the
distance; one loop nest over depth, height and width serves all modes (a 2-D map has depth 1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import fabs, floor, inline, rint
from edgeopt.kernels.walk.strided import quotient, remainder

_MODES = {"nearest": 1, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
_PADDINGS = ("zeros", "border", "reflection")
_FAR = 1 << 20


def _geometry(kind: Any, taps: int, padding: str, corners: bool) -> tuple[Any, Any, Any]:
    """(coordinate, extent) -> source position; (position, extent) -> index or -1; (distance) -> weight."""
    zero, half, one, two = kind(0), kind(0.5), kind(1), kind(2)
    low, far, a = kind(0 if corners else -0.5), kind(_FAR), kind(-0.75)

    @inline
    def reflect(x: Any, extent: Any) -> Any:
        high = kind(extent - 1) - low
        span = high - low
        d = low - x if x < low else x - high
        n = floor(d / span) if span > zero else zero
        r = d - n * span
        even = n - two * floor(n * half) == zero
        folded = (low + r if even else high - r) if x < low else (high - r if even else low + r)
        return x if d <= zero else (folded if span > zero else low)

    @inline
    def place(x: Any, extent: Any) -> Any:
        size = kind(extent)
        p = (x + one) * half * (size - one) if corners else ((x + one) * size - one) * half
        p = p if p > -far else -far
        p = p if p < far else far
        p = rint(p) if taps == 1 else p
        if padding == "border":
            return max(min(p, size - one), zero) if p < low or p > size - one - low else p
        return reflect(p, extent) if padding == "reflection" else p

    @inline
    def index(i: Any, extent: Any) -> Any:
        if padding == "zeros":
            return i if 0 <= i < extent else -1
        inside = np.int64(reflect(kind(i), extent)) if padding == "reflection" else i
        return max(min(inside, extent - 1), 0)

    @inline
    def weight(d: Any) -> Any:
        t = fabs(d)
        if taps == 4:
            near = ((a + two) * t - (a + kind(3))) * t * t + one
            return near if t <= one else ((a * t - kind(5) * a) * t + kind(8) * a) * t - kind(4) * a
        return one - t if taps == 2 else one

    return place, index, weight


@cache
def _kernel(dtype: str, grids: str, taps: int, padding: str, corners: bool) -> Callable[..., None]:
    load, load_grid, store, kind = loader(dtype), loader(grids), storer(dtype), scalar(dtype)
    place, index, weight = _geometry(kind, taps, padding, corners)
    before, zero = taps // 2 - 1 if taps > 1 else 0, kind(0)

    def kernel(
        x: Any, grid: Any, y: Any, begin: Any, end: Any, channels: Any, count: Any, rank: Any, xd: Any, xh: Any, xw: Any
    ) -> None:
        for chunk in range(begin, end):
            n, position, first = quotient(chunk, count), remainder(chunk, count), chunk * rank
            pw, ph = place(kind(load_grid(grid, first)), xw), place(kind(load_grid(grid, first + 1)), xh)
            pd = place(kind(load_grid(grid, first + 2)), xd) if rank == 3 else zero
            fw, fh, fd = np.int64(floor(pw)) - before, np.int64(floor(ph)) - before, np.int64(floor(pd)) - before
            for c in range(channels):
                source, total = (n * channels + c) * xd * xh * xw, zero
                for a in range(taps if rank == 3 else 1):
                    zd = index(fd + a, xd) if rank == 3 else 0
                    wd = weight(pd - kind(fd + a)) if rank == 3 else kind(1)
                    for b in range(taps):
                        zh, wh = index(fh + b, xh), wd * weight(ph - kind(fh + b))
                        for e in range(taps):
                            zw = index(fw + e, xw)
                            if zd >= 0 and zh >= 0 and zw >= 0:
                                pixel = load(x, source + (zd * xh + zh) * xw + zw)
                                total += wh * weight(pw - kind(fw + e)) * pixel
                store(y, (n * channels + c) * count + position, total)

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, grid, node = site.given(0), site.given(1), site.node
    static(x, grid)
    require(x, *FLOATS)
    spatial = x.shape[2:]
    mode, padding = node.text("mode", "linear"), node.text("padding_mode", "zeros")
    if len(spatial) not in (2, 3) or mode not in _MODES or padding not in _PADDINGS:
        raise Declined(f"{len(spatial)} spatial dimensions, mode '{mode}', padding '{padding}'")
    key = (x.type.dtype, grid.type.dtype, _MODES[mode], padding, bool(node.integer("align_corners", 0)))
    count = prod(grid.shape[1:-1])
    constants = (x.shape[1], count, len(spatial), *(1,) * (3 - len(spatial)), *spatial)
    return (KernelCall(_kernel(*key), (Input(0), Input(1), Output(0)), constants, x.shape[0] * count),)


KERNEL = Kernel("grid_sample", ("GridSample",), _select)
