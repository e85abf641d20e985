"""Float products with weights kept in few bits."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.packed import hybrid_conv, hybrid_gemm, hybrid_plain, hybrid_winograd

KERNELS: tuple[Kernel, ...] = (
    hybrid_winograd.KERNEL,
    *hybrid_conv.KERNELS,
    *hybrid_gemm.KERNELS,
    hybrid_plain.KERNEL,
)
