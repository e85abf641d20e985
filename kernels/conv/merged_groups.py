"""Groups of a convolution taken together until their channels fill whole blocks, with zeros between them.

The convolution is the same; a product with zero costs less than lanes that stay empty. Groups that never fill blocks become one.
"""

from __future__ import annotations

from math import gcd, lcm

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined

MOST = 16  # groups in one, and so products for each that is wanted


def groups_together(group: int, inputs: int, outputs: int, block: int) -> int:
    """How many of ``group`` groups of ``inputs`` and ``outputs`` channels become one. Raises Declined when that is too many."""
    if group == 1 or (inputs % block == 0 and outputs % block == 0):
        return 1
    together = lcm(block // gcd(block, inputs), block // gcd(block, outputs))
    together = together if group % together == 0 else group
    if together > MOST:
        raise Declined(f"{group} groups of {inputs} to {outputs} channels do not fill blocks of {block}")
    return together


def merged(weight: Array, group: int, together: int) -> Array:
    """Weights [M, C together / group, ...] of ``group / together`` groups from weights [M, C / group, ...]."""
    if together == 1:
        return weight
    outputs, inputs = weight.shape[0] // group, weight.shape[1]
    own = weight.reshape(group // together, together, outputs, inputs, *weight.shape[2:])
    full = np.zeros((group // together, together, outputs, together, inputs, *weight.shape[2:]), weight.dtype)
    for index in range(together):
        full[:, index, :, index] = own[:, index]
    return full.reshape(weight.shape[0], together * inputs, *weight.shape[2:])
