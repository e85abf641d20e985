"""Where arrays and weights lie, for native code."""

from __future__ import annotations

import ctypes

from edgeopt.ir import Array
from edgeopt.lower.memory import ALIGNMENT, address, aligned


def readable(weights: bytes | memoryview) -> tuple[object, int]:
    """The weights and their address, copied only when they are not aligned for the kernels."""
    if address(weights) % ALIGNMENT:
        copy = aligned(len(weights))
        copy[:] = weights
        return copy, address(copy)
    return weights, address(weights)


def address_of(array: Array) -> int:
    """The address of the first element, by the way that costs least: for small networks it is a tenth of the whole call."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # read only, or empty
        return int(array.ctypes.data)
