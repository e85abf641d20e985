"""Kernels as TIR that is written from their own functions: for kernels of which no form is stated.

A kernel's function is a few loops in the part of Python that numba compiles, around vector code that the emitter writes. Here its
statements become those of TIR (``statements``, ``expressions``), all that its factory baked into it being known, and its vector
code too, by a builder that the emitter does not tell from llvmlite's (``vector_builder``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script.builder import ir as build

from edgeopt.kernels.call import Declined
from edgeopt.kernels.emit.elements import storage
from edgeopt.kernels.tvm.translated.frame import Wider, Writing
from edgeopt.kernels.tvm.translated.memory import Memory, Pointer, llvm_type
from edgeopt.kernels.tvm.translated.statements import run
from edgeopt.kernels.tvm.translated.vector_builder import VectorBuilder
from edgeopt.kernels.tvm.writer import DEVICE_KERNEL

_ATTEMPTS = 20  # a type becomes wider a few times at most


def translated(function: Callable[..., None], constants: Sequence[int | float], dtypes: Sequence[str]) -> Any:
    """The PrimFunc ``kernel(pointers, begin, end)`` of a kernel's ``function`` with its ``constants``.

    Raises Declined for a function that has what TIR has not.
    """
    types: dict[str, str] = {}
    for _ in range(_ATTEMPTS):
        writing = Writing(VectorBuilder(), types, run)
        try:
            return _written(writing, function, constants, dtypes)
        except Wider:
            continue
    raise Declined("the types of its variables are not found")


def _written(writing: Writing, function: Callable[..., None], constants: Sequence[int | float], dtypes: Sequence[str]) -> Any:
    with IRBuilder() as builder, build.prim_func():
        build.func_name("kernel")
        kinds = [np.dtype(storage(dtype)).name for dtype in dtypes]
        addresses = [build.arg(f"p{i}", build.handle("int8")) for i in range(len(kinds))]
        begin, end = build.arg("begin", build.int64()), build.arg("end", build.int64())
        build.func_attr({"global_symbol": "kernel", "calling_conv": DEVICE_KERNEL, "tirx.noalias": False})
        pointers = [
            Pointer(Memory(address), 0, np.dtype(kind).itemsize, llvm_type(kind), kind)
            for address, kind in zip(addresses, kinds, strict=True)
        ]
        given = [np.float32(value) if isinstance(value, float) else value for value in constants]
        run(writing, function, [*pointers, begin, end, *given], function.__name__)
    return builder.get()
