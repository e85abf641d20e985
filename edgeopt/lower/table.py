"""The one table of kernels: it feeds selection, tests and benchmarks. The first entry that serves a node is taken."""

from __future__ import annotations

from edgeopt.kernels import (
    attention,
    channels_last,
    conv,
    gemm,
    integer,
    lookup,
    move,
    packed,
    pointwise,
    pool,
    recurrent,
    reduce,
    sparse,
)
from edgeopt.kernels.call import Kernel

FAMILIES = (sparse, conv, packed, channels_last, integer, lookup, pool, gemm, attention, pointwise, reduce, move, recurrent)
TABLE: tuple[Kernel, ...] = tuple(kernel for family in FAMILIES for kernel in family.KERNELS)


def kernels_for(level: int) -> tuple[Kernel, ...]:
    """The table at an optimisation level: below 2 without the kernels whose rounding is gated by measurement (Winograd)."""
    return tuple(kernel for kernel in TABLE if kernel.level <= level)
