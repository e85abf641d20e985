"""From a Program to one object file for a Target: capture, link with the driver, optimise, emit. Cached by content."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
from numba import types
from numba.core.types.abstract import Type

from edgeopt.codegen.capture import capture, digest
from edgeopt.codegen.driver import driver_ir, kernel_name, single_ir
from edgeopt.kernels.emit.intrinsics import pointer
from edgeopt.lower.program import Program, Step
from edgeopt.target import Target

LIBRARY = ("run", "init", "arena_bytes", "weights_bytes")
PROCESS = ("run", "steps", "samples", "parallel", "worker")


def build(program: Program, target: Target, library: bool = False) -> bytes:
    """The object file of ``program`` for ``target``, taken from the cache when the same program was built before.

    A ``library`` exports the C entry points only; otherwise the entry points of the Python runtime, threads included.
    """
    key = digest(_cache_key(program, target), library, hashlib.sha256(program.weights).digest() if library else "")
    path = cache_folder() / f"{key}.o"
    if path.exists():
        return path.read_bytes()
    data = emit(link(program, target, library), target)
    keep(path, data)
    return data


def link(program: Program, target: Target, library: bool = False) -> llvm.ModuleRef:
    """The driver and every kernel it calls in one module, optimised for ``target``."""
    public = {f"{program.name}_{suffix}" for suffix in (LIBRARY if library else PROCESS)}
    return _linked(program, target, driver_ir(program, target, library), public)


def link_single(program: Program, target: Target) -> llvm.ModuleRef:
    """Every step as a function ``single_N`` of its operands' addresses, optimised for ``target``."""
    return _linked(program, target, single_ir(program), {f"single_{i}" for i in range(len(program.native))})


def _linked(program: Program, target: Target, driver: str, public: set[str]) -> llvm.ModuleRef:
    machine = target_machine(target)
    module = _parse(driver, machine)
    for step in {kernel_name(s): s for s in program.native}.values():
        module.link_in(_parse(_captured(step).replace("define internal", "define", 1), machine))
    _internalise(module, public)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


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


_TEXTS: dict[str, str] = {}


def _captured(step: Step) -> str:
    name = kernel_name(step)
    if name not in _TEXTS:
        _TEXTS[name] = capture(step.call.function, _signature(step), name)
    return _TEXTS[name]


def _signature(step: Step) -> tuple[Type, ...]:
    constants = [types.float32 if isinstance(c, float) else types.int64 for c in step.call.constants]
    return (*(pointer(d) for d in step.dtypes), types.int64, types.int64, *constants)


def _parse(text: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    head = f'target datalayout = "{machine.target_data}"\ntarget triple = "{machine.triple}"\n'
    return llvm.parse_assembly(head + text)


def _internalise(module: llvm.ModuleRef, public: set[str]) -> None:
    for symbol in [*module.functions, *module.global_variables]:
        if not symbol.is_declaration and symbol.name not in public:
            symbol.linkage = "internal"


@cache
def sources() -> str:
    """A hash of everything outside the program that decides the code: kernels, code generation, numba and LLVM."""
    root = Path(__file__).resolve().parent.parent
    files = sorted([*(root / "kernels").rglob("*.py"), *(root / "codegen").rglob("*.py")])
    return digest(numba.__version__, llvmlite.__version__, [f.read_bytes() for f in files])


def _cache_key(program: Program, target: Target) -> str:
    steps = [(kernel_name(s), s.call.constants, s.call.chunks, s.places) for s in program.native]
    return digest(sources(), target, program.name, program.scratch_bytes, steps)


def cache_folder() -> Path:
    """Where compiled objects and measured choices are kept."""
    base = os.environ.get("EDGEOPT_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "edgeopt"


def keep(path: Path, data: bytes) -> None:
    """Write a file of the cache, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}.part")
        aside.write_bytes(data)
        aside.replace(path)
    except OSError:
        return  # the cache only saves time; a full or read-only disk must not fail a compilation
