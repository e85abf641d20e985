"""What a linker adds to a library: functions of libm, and of the compiler's own library where floats are computed in software."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgeopt.codegen.elf import Elf, archived
from edgeopt.codegen.toolchain import bare_flags, compiler, invoke
from edgeopt.errors import EdgeoptError
from edgeopt.target import Target

SECTIONS = (
    "SECTIONS { .text : { *(.text*) *(.rodata*) *(.srodata*) } .data : { *(.data*) *(.sdata*) } }"  # a script: no start files
)


def library_bytes(library: bytes | memoryview, name: str, target: Target) -> int | None:
    """Bytes of the functions that ``NAME_run`` in the static ``library`` calls beyond it; None where they cannot be linked."""
    code = Elf(archived(library))
    command = compiler(target)
    if command is None:
        return None if code.undefined() else 0
    with tempfile.TemporaryDirectory(prefix="edgeopt-link-") as folder:
        (Path(folder) / "libmodel.a").write_bytes(library)
        (Path(folder) / "all.ld").write_text(SECTIONS)
        start = ["-nostartfiles", "-static", "-T", "all.ld", "-Wl,--gc-sections", f"-Wl,-e,{name}_run"]
        try:
            invoke([*command, *bare_flags(target), *start, "libmodel.a", "-lm", "-o", "linked.elf"], Path(folder))
        except EdgeoptError:  # a toolchain without a C library
            return None
        return max(0, Elf((Path(folder) / "linked.elf").read_bytes()).loaded_bytes - code.loaded_bytes)
