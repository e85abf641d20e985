"""Integer operators of microcontrollers, on maps that lie with their channels last and without a border."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.channels_last import conv, depthwise, gemm

KERNELS: tuple[Kernel, ...] = (depthwise.KERNEL, conv.KERNEL, gemm.KERNEL)
