"""Pooling, plain and in the blocked layout."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.pool import global_pool_blocked, pool, pool_blocked

KERNELS: tuple[Kernel, ...] = (
    pool_blocked.KERNEL,
    global_pool_blocked.KERNEL,
    pool.KERNEL,
)
