"""Resize in every mode. Its coordinates are constants, so each axis becomes a table of taps: source indices and weights.

Nearest reads through one table per axis. Linear and cubic are separable: one pass per resized axis, out = sum w[k] x[i[k]];
antialiasing only lengthens the tables, and extrapolation is zero weights and a bias.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import isclose, prod
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.elements import FLOATS, loader, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import fma, inline, rint
from edgeopt.kernels.move.resize_rows import in_vectors, row_function
from edgeopt.kernels.move.resize_taps import Taps, taps
from edgeopt.kernels.walk.strided import row_major
from edgeopt.kernels.walk.tables import table_call


@dataclass(frozen=True)
class Axis:
    """One resized axis: its place, its scale (output / input) and the region of interest on it (0 to 1 is all)."""

    place: int
    scale: float
    start: float
    stop: float


def resize_axes(site: Site) -> list[Axis]:
    x, y, node = site.given(0), site.outputs[0], site.node
    rank = len(x.shape)
    places = [a % rank for a in node.integers("axes", range(rank))]
    if site.optional(3) is None:
        scales = [float(v) for v in site.constant(2).reshape(-1).astype(np.float32)]
    else:
        scales = _scales_from_sizes(site, places)
    roi = np.repeat([0.0, 1.0], len(places))
    if node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        roi = site.constant(1).astype(np.float64).reshape(-1)
    made = [Axis(p, s, float(roi[i]), float(roi[i + len(places)])) for i, (p, s) in enumerate(zip(places, scales, strict=True))]
    return [a for a in made if not _identity(a, x.shape[a.place], y.shape[a.place])]


def _identity(axis: Axis, source: int, result: int) -> bool:
    return isclose(axis.scale, 1.0) and source == result and axis.start == 0.0 and axis.stop == 1.0


def _scales_from_sizes(site: Site, places: list[int]) -> list[float]:
    x, y, policy = site.given(0), site.outputs[0], site.node.text("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return [y.shape[p] / x.shape[p] for p in places]
    scales = [int(size) / x.shape[p] for size, p in zip(site.constant(3), places, strict=True)]
    return [min(scales) if policy == "not_larger" else max(scales)] * len(scales)


@cache
def _kernel(source: str, result: str) -> Callable[..., None]:
    load = loader(source)
    store = storer(result) if result in FLOATS else _rounded(result)

    def kernel(
        x: Any, index: Any, weight: Any, bias: Any, y: Any, begin: Any, end: Any, extent: Any, count: Any, n: Any, inner: Any
    ) -> None:
        for chunk in range(begin, end):
            for o in range(count):
                for i in range(inner):
                    value = bias[o]
                    for k in range(n):
                        value = fma(weight[o * n + k], load(x, (chunk * extent + index[o * n + k]) * inner + i), value)
                    store(y, (chunk * count + o) * inner + i, value)

    return kernel


def _rounded(dtype: str) -> Callable[..., Any]:
    low, high, kind = np.float64(np.iinfo(dtype).min), np.float64(np.iinfo(dtype).max), scalar(dtype)

    @inline
    def store(p: Any, i: Any, value: Any) -> None:
        p[i] = kind(np.int64(max(min(rint(value), high), low)))

    return store


def _interpolate(site: Site, axes: list[tuple[Axis, Taps]]) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    dtype = y.type.dtype
    between = "float64" if dtype == "float64" or dtype not in FLOATS else "float32"
    shape, source, calls = list(x.shape), dtype, []
    operand: Operand = Input(0)
    for step, (axis, table) in enumerate(axes):
        last = step == len(axes) - 1
        extent, shape[axis.place] = shape[axis.place], y.shape[axis.place]
        result: Operand = Output(0) if last else Temporary(f"pass{step}", prod(shape), dtype=between)
        calls.append(_pass(site, operand, result, table, extent, shape, axis.place, source, dtype if last else between))
        operand, source = result, between
    return tuple(calls)


def _pass(
    site: Site, x: Operand, y: Operand, table: Taps, extent: int, shape: list[int], place: int, source: str, result: str
) -> KernelCall:
    """One axis: ``shape`` is that of the result, ``extent`` the source's along the axis."""
    outer, inner = prod(shape[:place]), prod(shape[place + 1 :])
    if inner == 1 and source == result == "float32" and in_vectors(site.target, table):
        return KernelCall(row_function(site.target, extent, table), (x, y), (), outer)
    kind = np.dtype("float64" if "float64" in (source, result) or result not in FLOATS else "float32")
    packed = (Packed(table.index.astype(np.int32)), Packed(table.weight.astype(kind)), Packed(table.bias.astype(kind)))
    constants = (extent, shape[place], table.index.shape[1], inner)
    return KernelCall(_kernel(source, result), (x, *packed, y), constants, outer)


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y, node = site.given(0), site.outputs[0], site.node
    static(x, y)
    if 0 in y.shape:
        raise Declined("the output is empty")
    axes = [(a, taps(node, x.shape[a.place], y.shape[a.place], a.scale, (a.start, a.stop))) for a in resize_axes(site)]
    nearest = node.text("mode", "nearest") == "nearest"
    if axes and not (nearest and not any(t.bias.any() or not t.weight.all() for _, t in axes)):
        return _interpolate(site, axes)
    tables: list[Array] = [np.arange(e) * s for e, s in zip(x.shape, row_major(x.shape), strict=True)]
    for axis, table in axes:
        tables[axis.place] = table.index[:, 0] * row_major(x.shape)[axis.place]
    return (table_call(y.shape, tables),)


KERNEL = Kernel("resize", ("Resize",), _select)
