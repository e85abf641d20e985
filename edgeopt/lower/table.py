"""The one table of kernels: it feeds selection, tests and benchmarks. The first entry that serves a node is taken."""

from __future__ import annotations

from edgeopt.kernels import binary, concat, conv_blocked, conv_direct, copy, transpose, unary
from edgeopt.kernels.call import Kernel

TABLE: tuple[Kernel, ...] = (
    conv_blocked.KERNEL,
    conv_direct.KERNEL,
    unary.KERNEL,
    *binary.KERNELS,
    *concat.KERNELS,
    *copy.KERNELS,
    *transpose.KERNELS,
)
