"""The files of a compiled model that an embedded project links: object, archives, header, example."""

from __future__ import annotations

from edgeopt.codegen.backends import Backend
from edgeopt.codegen.build import exported
from edgeopt.codegen.firmware_files import firmware_files
from edgeopt.codegen.header import example, header, makefile
from edgeopt.codegen.packages import packages
from edgeopt.codegen.toolchain import archive, bare_flags, compiler, is_native, missing, prefix, shared_library
from edgeopt.errors import EdgeoptError
from edgeopt.lower.program import Program
from edgeopt.target import Target


def library_files(program: Program, target: Target, backend: Backend) -> tuple[dict[str, bytes], list[str]]:
    """The files by name, with the code of ``backend``, and notes about what was not made for want of a linker for ``target``.

    Raises EdgeoptError for steps without a kernel: a C library has no host to run them, and would leave their results out.
    """
    if program.fallbacks:
        nodes = ", ".join(repr(step.node) for step in program.fallbacks[:5])
        raise EdgeoptError(f"no C library can be made: {len(program.fallbacks)} nodes have no kernel ({nodes}); replace them")
    code = backend.build(program, target, library=True)
    files = {
        "libmodel.a": archive("model.o", code, exported(program)),
        "model.h": header(program).encode(),
        "example.c": example(program, target.bare).encode(),
        "Makefile": _makefile(program, target).encode(),
    }
    if target.bare:
        files |= firmware_files(program, header(program))
        files |= packages(files, program.name, target)
    shared = shared_library(code, target)
    if shared is not None:
        return {**files, "libmodel.so": shared}, []
    return files, [f"libmodel.so was not linked: {missing(target)}"] if compiler(target) is None and not target.bare else []


def _makefile(program: Program, target: Target) -> str:
    linked = f"{program.name}_weights.c" if target.bare else ""
    return makefile("cc" if is_native(target) else f"{prefix(target)}-gcc", _machine(target), linked)


def _machine(target: Target) -> list[str]:
    """What the example is compiled for: a microcontroller has its files by semihosting."""
    host = "--specs=rdimon.specs" if target.architecture.startswith("thumb") else "--oslib=semihost"
    return [*bare_flags(target), host] if target.bare else []
