"""What a convolution's kernels read for each output channel besides weights: the bias, and the slopes of a PReluConv."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array, numpy_dtype
from edgeopt.kernels.call import Site
from edgeopt.kernels.emit.epilogue import activation_of

CONVOLUTIONS = ("Conv", "FusedConv", "PReluConv")
BIAS, SLOPE = 2, 4  # inputs


def channel_numbers(site: Site, channels: int, together: int) -> Array:
    """The biases of ``channels`` outputs, zeros where there are none; behind those of each ``together`` channels their slopes.

    Only a PReluConv has slopes. Raises Declined when they or the biases are computed.
    """
    bias = _filled(site, BIAS, channels)
    if not activation_of(site.node).sloped:
        return bias
    return np.stack([a.reshape(-1, together) for a in (bias, _filled(site, SLOPE, channels))], axis=1).reshape(-1)


def _filled(site: Site, index: int, channels: int) -> Array:
    made = np.zeros(channels, numpy_dtype(site.given(0).type.dtype))
    if site.optional(index) is not None:
        made[: site.constant(index).size] = site.constant(index).reshape(-1)
    return made
