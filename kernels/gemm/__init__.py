"""Float matrix products."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.gemm import einsum, gemm, gemv, matmul_plain

KERNELS: tuple[Kernel, ...] = (
    gemv.KERNEL,
    gemm.KERNEL,
    *matmul_plain.KERNELS,
    einsum.KERNEL,
)
