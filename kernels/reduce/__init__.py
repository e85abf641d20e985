"""Operators that look along axes: reductions, softmax, normalisations, cumulative sums, the k largest."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.reduce import (
    arg_planes,
    arg_reduce,
    extreme_vector,
    layer_normalization_vector,
    lrn,
    normalization,
    normalize_axes,
    reduce,
    scan_axis,
    softmax,
    softmax_vector,
    top_k,
)

KERNELS: tuple[Kernel, ...] = (
    softmax_vector.KERNEL,
    softmax.KERNEL,
    extreme_vector.KERNEL,
    reduce.KERNEL,
    lrn.KERNEL,
    layer_normalization_vector.KERNEL,
    *normalization.KERNELS,
    *normalize_axes.KERNELS,
    arg_planes.KERNEL,
    arg_reduce.KERNEL,
    *scan_axis.KERNELS,
    top_k.KERNEL,
)
