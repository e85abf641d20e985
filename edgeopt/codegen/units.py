"""Object code in units: every function that steps call is compiled by itself, on whatever core is free, and all are joined.

A unit comes back as assembly with names of its own; the assembler of this process, which LLVM has for its own architecture, puts
the units and the driver into one object. The units of a program and their order do not depend on the number of cores.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache, partial

import llvmlite.binding as llvm

from edgeopt.children import apart
from edgeopt.codegen.decoding import decoder_texts
from edgeopt.codegen.driver import Unit, driver_ir, units
from edgeopt.codegen.kernel_text import is_shaped, kernel_texts, parts_of
from edgeopt.codegen.optimise import linked, parse, target_machine
from edgeopt.codegen.processes import shared
from edgeopt.coding.encoder import prepare
from edgeopt.lower.program import Program
from edgeopt.target import Target


def assembles(target: Target) -> bool:
    """Whether LLVM has an assembler for ``target`` here: it has that of this machine's architecture."""
    return target.architecture == platform.machine()


def emit_units(program: Program, target: Target, library: bool, public: set[str]) -> bytes:
    """The object file of ``program``. The loops that write its weights are compiled on the way, since one core may be free;

    with the captures, so that no process needs the memory both of numba and of LLVM's optimisation.
    """
    made = units(program)
    parts = parts_of([unit.step for unit in made], [prepare])
    texts = shared([partial(_assembly, unit, parts, target, number) for number, unit in enumerate(made)])
    return apart(partial(_object, program, target, library, public, texts))


def _object(program: Program, target: Target, library: bool, public: set[str], texts: list[str]) -> bytes:
    """The driver with all units; in memory that LLVM keeps for later."""
    _initialise()
    driver = "\n".join([*map(_quoted, "\n".join(texts).split("\n")), driver_ir(program, target, library, apart=True)])
    module = linked(parse(driver, target), decoder_texts(program, library), public, target)
    return bytes(target_machine(target).emit_object(module))


def _assembly(unit: Unit, parts: Mapping[str, str], target: Target, number: int) -> str:
    """The code of a unit, whose local names begin with its number, and which is local to the object itself."""
    texts, shaped = kernel_texts([unit.step], parts), is_shaped(unit.step, parts)
    module = linked(parse(unit.text, target), texts, {unit.name}, target, "private", shaped)
    text = str(target_machine(target).emit_assembly(module))
    return text.replace(".L", f".Lu{number}_").replace(f"\t.globl\t{unit.name}\n", "")


def _quoted(line: str) -> str:
    escaped = line.replace("\\", "\\5C").replace('"', "\\22")
    return f'module asm "{escaped}"'


@cache
def _initialise() -> None:
    llvm.initialize_native_asmparser()
