"""Attention as one operator."""

from edgeopt.kernels.attention import attention
from edgeopt.kernels.call import Kernel

KERNELS: tuple[Kernel, ...] = (attention.KERNEL,)
