"""From a Program to one object file for a Target: capture, link with the driver, optimise, emit. Cached by content.

The driver's text holds all that a program bakes into its code: constants, places, chunks, the bytes of a sample, a library's
sizes and checksums, and the names of its kernels, which are hashes of what is baked into them. So a hash of that text, of the
target and of the sources is a hash of everything that reaches the code generator, whatever is added to the driver.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np

from edgeopt.cache import keep, read
from edgeopt.codegen.capture import digest
from edgeopt.codegen.decoding import decoder_texts
from edgeopt.codegen.driver import driver_ir, single_ir
from edgeopt.codegen.kernel_text import kernel_texts, parts_of
from edgeopt.codegen.optimise import linked, parse, target_machine
from edgeopt.codegen.units import assembles, emit_units
from edgeopt.lower.program import Program
from edgeopt.target import Target

LIBRARY = ("run", "init", "arena_bytes", "weights_bytes")
STREAMED = ("stream_begin", "stream_rows", "stream_end")
SOURCES = ("kernels", "codegen", "coding", "ir")
PROCESS = ("run", "steps", "samples", "parallel", "worker", "layout", "room")


def build(program: Program, target: Target, library: bool = False) -> bytes:
    """The object file of ``program`` for ``target``, taken from the cache when the same program was built before.

    A ``library`` exports the C entry points only; otherwise the entry points of the Python runtime, threads included.
    """
    driver, public = driver_ir(program, target, library), _public(program, library)
    entry = f"{digest(sources(), target, driver, sorted(public))}.o"
    data = read(entry)
    if data is None:
        if assembles(target):
            data = emit_units(program, target, library, public)
        else:
            data = emit(_linked(program, target, driver, public, library), target)
        keep(entry, data)
    return data


def exported(program: Program) -> list[str]:
    """The symbols of a C library."""
    return [f"{program.name}_{suffix}" for suffix in (*LIBRARY, *(STREAMED if program.stream is not None else ()))]


def link(program: Program, target: Target, library: bool = False) -> llvm.ModuleRef:
    """The driver and every kernel it calls in one module, optimised for ``target``."""
    return _linked(program, target, driver_ir(program, target, library), _public(program, library), library)


def _public(program: Program, library: bool) -> set[str]:
    return set(exported(program)) if library else {f"{program.name}_{suffix}" for suffix in PROCESS}


def link_single(program: Program, target: Target) -> llvm.ModuleRef:
    """Every step as a function ``single_N`` of its operands' addresses, optimised for ``target``."""
    return _linked(program, target, single_ir(program), {f"single_{i}" for i in range(len(program.native))})


def _linked(program: Program, target: Target, driver: str, public: set[str], library: bool = False) -> llvm.ModuleRef:
    steps = program.native
    texts = [*kernel_texts(steps, parts_of(steps)), *decoder_texts(program, library)]
    return linked(parse(driver, target), texts, public, target)


def emit(module: llvm.ModuleRef, target: Target) -> bytes:
    """Machine code of an optimised module."""
    return bytes(target_machine(target).emit_object(module))


@cache
def sources() -> str:
    """A hash of everything outside the program that decides the code: what kernels are made of, code generation, numba, LLVM."""
    root = Path(__file__).resolve().parents[1]
    texts = [(str(file.relative_to(root)), file.read_bytes()) for file in source_files(root)]
    return digest(numba.__version__, llvmlite.__version__, np.__version__, sys.version, texts)


def source_files(root: Path) -> list[Path]:
    """The files below ``root``, the folder of the package, whose text decides the code of a kernel, in subfolders too."""
    folders = [Path(at) for part in SOURCES for at, _, _ in os.walk(root / part, followlinks=True)]
    return sorted([*(file for folder in folders for file in folder.glob("*.py")), root / "target.py"])
