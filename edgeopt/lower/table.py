"""The one table of kernels: it feeds selection, tests and benchmarks. The first entry that serves a node is taken."""

from __future__ import annotations

from edgeopt.kernels import (
    binary,
    cast,
    choose,
    concat,
    conv_blocked,
    conv_direct,
    conv_transpose,
    copy,
    matmul_plain,
    pointwise_blocked,
    pool,
    reduce,
    softmax,
    transpose,
    unary,
)
from edgeopt.kernels.call import Kernel

TABLE: tuple[Kernel, ...] = (
    conv_blocked.KERNEL,
    conv_direct.KERNEL,
    conv_transpose.KERNEL,
    pool.KERNEL,
    *matmul_plain.KERNELS,
    *pointwise_blocked.KERNELS,
    unary.KERNEL,
    *binary.KERNELS,
    *choose.KERNELS,
    cast.KERNEL,
    softmax.KERNEL,
    reduce.KERNEL,
    *copy.KERNELS,
    *transpose.KERNELS,
    *concat.KERNELS,
)
