"""From a Program to one object file for a Target: capture, link with the driver, optimise, emit. Cached by content.

The driver's text holds all that a program bakes into its code: constants, places, chunks, the bytes of a sample, a library's
sizes and checksums, and the names of its kernels, which are hashes of what is baked into them. So a hash of that text, of the
target and of the sources is a hash of everything that reaches the code generator, whatever is added to the driver.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np

from edgeopt.cache import keep, read
from edgeopt.codegen.capture import digest
from edgeopt.codegen.driver import driver_ir, single_ir
from edgeopt.codegen.kernel_text import kernel_name, texts
from edgeopt.lower.program import Program, Step
from edgeopt.target import Target

LIBRARY = ("run", "init", "arena_bytes", "weights_bytes")
SOURCES = ("kernels", "codegen", "ir")
PROCESS = ("run", "steps", "samples", "parallel", "worker", "layout")


def build(program: Program, target: Target, library: bool = False) -> bytes:
    """The object file of ``program`` for ``target``, taken from the cache when the same program was built before.

    A ``library`` exports the C entry points only; otherwise the entry points of the Python runtime, threads included.
    """
    driver, public = driver_ir(program, target, library), _public(program, library)
    entry = f"{digest(sources(), target, driver, sorted(public))}.o"
    data = read(entry)
    if data is None:
        data = emit(_linked(program, target, driver, public), target)
        keep(entry, data)
    return data


def link(program: Program, target: Target, library: bool = False) -> llvm.ModuleRef:
    """The driver and every kernel it calls in one module, optimised for ``target``."""
    return _linked(program, target, driver_ir(program, target, library), _public(program, library))


def _public(program: Program, library: bool) -> set[str]:
    return {f"{program.name}_{suffix}" for suffix in (LIBRARY if library else PROCESS)}


def link_single(program: Program, target: Target) -> llvm.ModuleRef:
    """Every step as a function ``single_N`` of its operands' addresses, optimised for ``target``."""
    return _linked(program, target, single_ir(program), {f"single_{i}" for i in range(len(program.native))})


def _linked(program: Program, target: Target, driver: str, public: set[str]) -> llvm.ModuleRef:
    machine = target_machine(target)
    module = _parse(driver, machine)
    for text in _texts(program.native):
        module.link_in(_parse(text, machine))
    _internalise(module, public)
    module.verify()
    _specialise(module, machine)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def _specialise(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    """Give every call its own copy of its kernel before anything is optimised.

    LLVM optimises a function before it inlines it. With one caller it knows the constants by then, with two it does not, and a
    loop nest that was shaped for unknown extents is not reshaped afterwards: a layer would be slower for having a neighbour.
    """
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0))
    inliner = llvm.create_new_module_pass_manager()
    inliner.add_always_inliner_pass()
    inliner.run(module, builder)


def emit(module: llvm.ModuleRef, target: Target) -> bytes:
    """Machine code of an optimised module."""
    return bytes(target_machine(target).emit_object(module))


def target_machine(target: Target) -> llvm.TargetMachine:
    """LLVM's code generator for ``target``: position independent, full optimisation."""
    _initialise()
    machine = llvm.Target.from_triple(target.triple)
    return machine.create_target_machine(cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="default")


@cache
def _initialise() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def _texts(steps: Sequence[Step]) -> Iterator[str]:
    """The text of every kernel of ``steps`` and of every part of one, each once."""
    written: set[str] = set()
    for step in {kernel_name(s): s for s in steps}.values():
        for name, write in texts(step):
            if name not in written:
                written.add(name)
                yield write()


def _parse(text: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    head = f'target datalayout = "{machine.target_data}"\ntarget triple = "{machine.triple}"\n'
    return llvm.parse_assembly(head + text)


def _internalise(module: llvm.ModuleRef, public: set[str]) -> None:
    for symbol in [*module.functions, *module.global_variables]:
        if not symbol.is_declaration and symbol.name not in public:
            symbol.linkage = "internal"


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
