"""Products whose weights are codewords: tables of inner products are built of the input, and codes select from them."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.lookup import lookup_conv, lookup_gemm, lookup_plain

KERNELS: tuple[Kernel, ...] = (
    lookup_conv.KERNEL,
    lookup_gemm.KERNEL,
    *lookup_plain.KERNELS,
)
