"""Weights of a 3x3 convolution as a loader makes them for Winograd kernels, in the order of positions, outputs and inputs."""

from __future__ import annotations

import numpy as np

from edgeopt.coding.container import content
from edgeopt.coding.winograd import put_transformed
from edgeopt.ir import Array


def transformed(weight: Array, m: int) -> Array:
    """G g G^T of float32 weights [O, I, 3, 3]: float32 [(m + 2)^2, O, I]."""
    outputs, inputs = weight.shape[:2]
    made = np.zeros(((m + 2) ** 2, outputs, inputs), np.float32)
    put_transformed(content(weight), made.reshape(-1).view(np.uint8), 0, made.nbytes, m, outputs, inputs, 1, inputs)
    return made
