"""Operators that move elements: copies, transposes, gathers, pads, resizes, and the conversions between layouts."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.move import (
    concat,
    copy,
    fill,
    gather,
    grid_sample,
    pad,
    remap_blocked,
    resize,
    roi_align,
    scatter,
    transpose,
)

KERNELS: tuple[Kernel, ...] = (
    remap_blocked.KERNEL,
    *copy.KERNELS,
    *transpose.KERNELS,
    *concat.KERNELS,
    *gather.KERNELS,
    pad.KERNEL,
    resize.KERNEL,
    *fill.KERNELS,
    *scatter.KERNELS,
    grid_sample.KERNEL,
    roi_align.KERNEL,
)
