"""Operators that compute each element of the output from the elements at its place."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.pointwise import batch_normalization, binary, cast, choose, pointwise_blocked, unary, unary_vector, variadic

KERNELS: tuple[Kernel, ...] = (
    *pointwise_blocked.KERNELS,
    unary_vector.KERNEL,
    unary.KERNEL,
    binary.KERNEL,
    *choose.KERNELS,
    cast.KERNEL,
    batch_normalization.KERNEL,
    variadic.KERNEL,
)
