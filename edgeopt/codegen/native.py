"""Loads an object file into this process and calls its entry points."""

from __future__ import annotations

import ctypes

import llvmlite.binding as llvm

from edgeopt.codegen.build import target_machine
from edgeopt.target import Target

_POINTERS = ctypes.c_void_p
_INT = ctypes.c_int64


class NativeModule:
    """Entry points of a compiled program. Calls release the interpreter lock while they run."""

    def __init__(self, data: bytes, name: str, target: Target) -> None:
        ctypes.CDLL(None, mode=ctypes.RTLD_GLOBAL)
        llvm.load_library_permanently("libm.so.6")
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(target))
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(data))
        self._engine.finalize_object()
        self.steps = self._function(f"{name}_steps", _POINTERS, _INT, _INT)
        self.samples = self._function(f"{name}_samples", _POINTERS, _POINTERS, _INT, _INT)
        self.parallel = self._function(f"{name}_parallel", _POINTERS, _POINTERS, _INT, _INT)
        self.worker = self._function(f"{name}_worker", _POINTERS, _INT)

    def _function(self, symbol: str, *arguments: type) -> ctypes._CFuncPtr:  # type: ignore[name-defined]
        prototype = ctypes.CFUNCTYPE(None, *arguments)
        return prototype(self._engine.get_function_address(symbol))
