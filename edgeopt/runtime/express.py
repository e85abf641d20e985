"""The short way of a call that has just what a model wants, on one thread: a tiny network takes less time than the general way.

Addresses of outputs are known before, since results are copied out of memory that stays; arguments are made once. What a call
gives is the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from edgeopt.codegen.native import NativeModule
from edgeopt.ir import Array
from edgeopt.runtime.ports import Port, empty

MOST_BYTES = 4096  # of all outputs: to copy more takes longer than to look where new ones are


class Express:
    """Calling it with inputs by name gives outputs by name; None where the general way has to look at the inputs.

    ``memory`` are the addresses of arena, constants and scratch memory, which whoever holds this keeps; so is the lock.
    """

    def __init__(self, native: NativeModule, inputs: Sequence[Port], outputs: Sequence[Port], last: int, memory: Sequence[int]):
        self._call, self._count = native.steps, len(inputs)
        self._wanted = [(index, port.name, port.dtype, port.shape) for index, port in enumerate(inputs)]
        self._made = [(port.name, empty(port, 1)) for port in outputs]
        self._read = (ctypes.c_void_p * max(1, len(inputs)))()
        self._written = (ctypes.c_void_p * len(outputs))(*(array.ctypes.data for _, array in self._made))
        self._context = (ctypes.c_void_p * 5)(ctypes.addressof(self._read), ctypes.addressof(self._written), *memory)
        self._arguments: tuple[Any, ...] = (
            ctypes.c_void_p(ctypes.addressof(self._context)),
            ctypes.c_int64(0),
            ctypes.c_int64(last),
        )

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        if len(inputs) != self._count:
            return None
        for index, name, dtype, shape in self._wanted:
            array = inputs.get(name)
            if type(array) is not np.ndarray or array.dtype is not dtype or array.shape != shape or not array.flags.c_contiguous:
                return None
            try:
                self._read[index] = ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
            except (TypeError, ValueError):  # read only, or empty
                return None
        self._call(*self._arguments)
        return {name: array.copy() for name, array in self._made}


def suits(inputs: Sequence[Port], outputs: Sequence[Port]) -> bool:
    """Whether all of them lie in native memory, and outputs are few bytes."""
    return (
        all(port.placed for port in [*inputs, *outputs])
        and bool(outputs)
        and sum(port.dtype.itemsize * prod(port.shape) for port in outputs) <= MOST_BYTES
    )
