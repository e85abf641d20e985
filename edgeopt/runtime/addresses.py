"""Where arrays and weights lie, for native code."""

from __future__ import annotations

import ctypes

from edgeopt.ir import Array
from edgeopt.lower.memory import ALIGNMENT, address, aligned


def readable(weights: bytes | memoryview) -> memoryview:
    """The weights, copied only when they are not aligned for the kernels."""
    if address(weights) % ALIGNMENT == 0:
        return memoryview(weights)
    copy = aligned(len(weights))
    copy[:] = weights
    return copy


def address_of(array: Array) -> int:
    """The address of the first element, by the way that costs least: for small networks it is a tenth of the whole call."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # read only, or empty
        return int(array.ctypes.data)
