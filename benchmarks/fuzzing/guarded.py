"""Runs a compiled model with all its memory between pages that nobody may touch, so that a foreign read or write is a crash."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.lower.memory import ALIGNMENT
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, empty, sample_count

PAGE = mmap.PAGESIZE
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass
class Guard:
    """Blocks of memory that end (``high``) or begin at a page without access; their bytes are ``fill`` at first."""

    high: bool
    fill: int
    _maps: list[tuple[mmap.mmap, Array]] = field(default_factory=list)

    def block(self, size: int, multiple: int = 1) -> Array:
        """``size`` bytes; rounded up to ``multiple``, which their address is a multiple of too."""
        whole = size + -size % multiple
        room = -(-max(whole, 1) // PAGE) * PAGE
        memory = mmap.mmap(-1, room + 2 * PAGE)
        view = np.frombuffer(memory, np.uint8)
        view[:] = self.fill
        start = PAGE + (room - whole if self.high else 0)
        self._maps.append((memory, view))
        for page in (0, PAGE + room):
            if _LIBC.mprotect(ctypes.c_void_p(view.ctypes.data + page), PAGE, 0):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return view[start : start + size]

    def array(self, like: Array) -> Array:
        """Room for an array like ``like``."""
        return self.block(like.nbytes, max(like.itemsize, 1)).view(like.dtype).reshape(like.shape)

    def copy(self, array: Array) -> Array:
        """``array``, guarded; what does not lie in memory as numbers stays as it is."""
        if not isinstance(array, np.ndarray) or array.dtype == object:
            return array
        made = self.array(np.ascontiguousarray(array).reshape(array.shape))
        made[...] = array
        return made


def guarded_run(model: CompiledModel, inputs: Mapping[str, Array], guard: Guard) -> dict[str, Any]:
    """Outputs by name, as of ``model.run`` for one batch. Raises EdgeoptError as that does."""
    arrays = [guard.copy(array) for array in checked(inputs, model.inputs)]
    if sample_count(arrays, model.inputs, model.outputs) != 1:
        raise EdgeoptError("a guarded run takes one batch")
    with _guarded_memory(model, guard):
        results = model._run_once(arrays, [guard.copy(empty(port, 1)) for port in model.outputs], 1)
    named = zip(model.outputs, results, strict=True)
    return {port.name: np.array(a) if isinstance(a, np.ndarray) else a for port, a in named if a is not None}


@contextmanager
def _guarded_memory(model: CompiledModel, guard: Guard) -> Iterator[None]:
    """The model's arena, weights and scratch in guarded blocks."""
    model._prepare()
    weights = np.frombuffer(model.weights, np.uint8)
    arena = guard.block(model.manifest["arena_bytes"], ALIGNMENT)
    scratch = guard.block(model.manifest["scratch_bytes"] * max(1, model.manifest["target"]["cores"]), ALIGNMENT)
    constants = guard.block(weights.size, ALIGNMENT)
    constants[:] = weights
    kept = (model._arena, model._constants, model._context)
    tables = (ctypes.addressof(model._input_addresses), ctypes.addressof(model._output_addresses))
    places = [block.ctypes.data for block in (arena, constants, scratch)]
    model._arena, model._constants = (arena.data, places[0]), (constants.data, places[1])
    model._context = (ctypes.c_void_p * 5)(*tables, *places)
    try:
        yield
    finally:
        model._arena, model._constants, model._context = kept
