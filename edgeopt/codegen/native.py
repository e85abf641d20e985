"""Loads an object file into this process and calls its entry points."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import threading

import llvmlite.binding as llvm

from edgeopt.codegen.optimise import target_machine
from edgeopt.errors import EdgeoptError
from edgeopt.target import Target

_POINTERS = ctypes.c_void_p
_INT = ctypes.c_int64
_ELF, _RELOCATABLE, _MACHINES = b"\x7fELF\x02\x01", 1, {"x86_64": 62, "aarch64": 183}


# LLVM has locks of its own: a fork while one is held would leave the child without anybody to release it, so it waits its turn.
_LOADING = threading.RLock()
os.register_at_fork(before=_LOADING.acquire, after_in_parent=_LOADING.release, after_in_child=_LOADING.release)


class NativeModule:
    """Entry points of a compiled program. Calls release the interpreter lock while they run.

    Raises EdgeoptError when ``data`` is no object file for this processor, or was compiled for another layout of memory than the
    one whose ``edgeopt.lower.layout`` digest is given (none is compared with nothing).
    """

    def __init__(self, data: bytes, name: str, target: Target, layout: bytes = b"") -> None:
        _require(data[:6] == _ELF and data[16:20] == _relocatable(), "is for another processor or damaged")
        with _LOADING:
            self._engine = _loaded(data, target, f"{name}_room".encode() in data)
        found = ctypes.string_at(self._address(f"{name}_layout"), len(layout)) if layout else b""
        _require(found == layout, "was compiled for other inputs, outputs or memory than its manifest says")
        self.steps = self._function(f"{name}_steps", _POINTERS, _INT, _INT)
        self.samples = self._function(f"{name}_samples", _POINTERS, _POINTERS, _INT, _INT)
        self.parallel = self._function(f"{name}_parallel", _POINTERS, _POINTERS, _INT, _INT)
        self.worker = self._function(f"{name}_worker", _POINTERS, _INT)

    def _function(self, symbol: str, *arguments: type) -> ctypes._CFuncPtr:  # type: ignore[name-defined]
        prototype = ctypes.CFUNCTYPE(None, *arguments)
        return prototype(self._address(symbol))

    def _address(self, symbol: str) -> int:
        address = int(self._engine.get_function_address(symbol))
        _require(address != 0, f"lacks '{symbol}'")
        return address


def _loaded(data: bytes, target: Target, together: bool) -> llvm.ExecutionEngine:
    """The code in memory; code and constants ``together`` in one block.

    Apart, they may come to lie further from each other than an instruction reaches where the process has mapped much (as JAX and
    Ray do), and LLVM ends the process then. What has data that are written has a page for these in the block, in which LLVM
    finds room for the addresses of functions outside, too; without, it would end the process for want of that.
    """
    ctypes.CDLL(None, mode=ctypes.RTLD_GLOBAL)
    llvm.load_library_permanently("libm.so.6")
    try:
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(target), use_lmm=together or None)
        engine.add_object_file(llvm.ObjectFileRef.from_data(data))
        engine.finalize_object()
    except RuntimeError as error:
        raise EdgeoptError(f"the code of the model cannot be loaded: {error}; compile the model again") from error
    return engine


def _relocatable() -> bytes:
    """What an object file of this processor says of itself."""
    return struct.pack("<HH", _RELOCATABLE, _MACHINES.get(platform.machine(), 0))


def _require(right: bool, problem: str) -> None:
    if not right:
        raise EdgeoptError(f"the code of the model {problem}; compile the model again")
