"""Float convolutions: by definition, and in the blocked layout direct, depthwise, from an image, and by Winograd."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.conv import (
    conv_blocked,
    conv_depthwise,
    conv_direct,
    conv_gated,
    conv_stem,
    conv_transpose,
    conv_transpose_blocked,
    conv_volume,
    conv_winograd,
)

KERNELS: tuple[Kernel, ...] = (
    conv_stem.KERNEL,
    conv_depthwise.KERNEL,
    conv_winograd.KERNEL,
    conv_blocked.KERNEL,
    conv_volume.KERNEL,
    conv_direct.KERNEL,
    *conv_gated.KERNELS,
    conv_transpose_blocked.KERNEL,
    conv_transpose.KERNEL,
)
