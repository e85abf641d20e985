"""Products with weights stored by their nonzero blocks: what is zero is neither stored nor multiplied."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.sparse import (
    csr_conv,
    filled,
    sparse_conv,
    sparse_gemm,
    sparse_quant_conv,
    sparse_quant_gemm,
    window_gemm,
    window_quant_gemm,
)

KERNELS: tuple[Kernel, ...] = (
    csr_conv.KERNEL,
    sparse_conv.KERNEL,
    window_gemm.KERNEL,
    sparse_gemm.KERNEL,
    sparse_quant_conv.KERNEL,
    window_quant_gemm.KERNEL,
    sparse_quant_gemm.KERNEL,
    *filled.KERNELS,
)
