"""RoiAlign: each bin of a region is the average or maximum of bilinear samples on a regular grid inside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import ceil
from edgeopt.kernels.move.gather import clamped
from edgeopt.kernels.walk.strided import quotient, remainder

_MOST = 1024


@cache
def _kernel(dtype: str, average: bool, shifted: bool) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    zero, half, one, most = kind(0), kind(0.5), kind(1), kind(_MOST)
    shift, smallest = half if shifted else zero, kind(-np.inf) if shifted else one

    def kernel(
        x: Any, rois: Any, batches: Any, y: Any, begin: Any, end: Any,
        scale: Any, images: Any, channels: Any, height: Any, width: Any, rows: Any, columns: Any, ratio: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            roi, c = quotient(chunk, channels), remainder(chunk, channels)
            source = (clamped(batches[roi], images) * channels + c) * height * width
            left, top = load(rois, roi * 4) * kind(scale) - shift, load(rois, roi * 4 + 1) * kind(scale) - shift
            right, bottom = load(rois, roi * 4 + 2) * kind(scale) - shift, load(rois, roi * 4 + 3) * kind(scale) - shift
            step_y, step_x = max(bottom - top, smallest) / kind(rows), max(right - left, smallest) / kind(columns)
            samples_y = ratio if ratio > 0 else np.int64(ceil(min(step_y if step_y > zero else zero, most)))  # none for NaN
            samples_x = ratio if ratio > 0 else np.int64(ceil(min(step_x if step_x > zero else zero, most)))
            for bin_ in range(rows * columns):
                total, some = zero, False
                for a in range(samples_y):
                    py = top + kind(quotient(bin_, columns)) * step_y + (kind(a) + half) * step_y / kind(samples_y)
                    for b in range(samples_x):
                        px = left + kind(remainder(bin_, columns)) * step_x + (kind(b) + half) * step_x / kind(samples_x)
                        inside = py >= -one and py <= kind(height) and px >= -one and px <= kind(width)
                        qy, qx = max(py, zero) if inside else zero, max(px, zero) if inside else zero
                        y0, x0 = min(np.int64(qy), height - 1), min(np.int64(qx), width - 1)
                        y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
                        fy = qy - kind(y0) if y0 < height - 1 else zero
                        fx = qx - kind(x0) if x0 < width - 1 else zero
                        v0, v1 = load(x, source + y0 * width + x0), load(x, source + y0 * width + x1)
                        v2, v3 = load(x, source + y1 * width + x0), load(x, source + y1 * width + x1)
                        v0, v1 = v0 * (one - fy) * (one - fx), v1 * (one - fy) * fx
                        v2, v3 = v2 * fy * (one - fx), v3 * fy * fx
                        value = v0 + v1 + v2 + v3 if average else max(max(v0, v1), max(v2, v3))
                        value = value if inside else zero
                        best = max(total, value) if some else value
                        total, some = total + value if average else best, True
                count = max(samples_y * samples_x, 1)
                store(y, chunk * rows * columns + bin_, total / kind(count) if average else total)

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, rois, batches, node = site.given(0), site.given(1), site.given(2), site.node
    static(x, rois, batches)
    require(x, *FLOATS)
    if rois.type.dtype != x.type.dtype:
        raise Declined("regions differ in element type from the input")
    opset = node.graph.root.opset if node.graph is not None else 16
    default = "half_pixel" if opset >= 16 else "output_half_pixel"
    shifted = node.text("coordinate_transformation_mode", default) == "half_pixel"
    bins = (node.integer("output_height", 1), node.integer("output_width", 1))
    key = (x.type.dtype, node.text("mode", "avg") == "avg", shifted)
    constants = (node.real("spatial_scale", 1.0), *x.shape, *bins, node.integer("sampling_ratio", 0))
    operands = (Input(0), Input(1), Input(2), Output(0))
    return (KernelCall(_kernel(*key), operands, constants, prod((rois.shape[0], x.shape[1]))),)


KERNEL = Kernel("roi_align", ("RoiAlign",), _select)
