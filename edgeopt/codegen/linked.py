"""What a linker adds to a library: functions of libm, and of the compiler's own library where floats are computed in software."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgeopt.codegen.elf import Elf, archived
from edgeopt.codegen.stack import frame_bytes
from edgeopt.codegen.toolchain import bare_flags, compiler, invoke
from edgeopt.errors import EdgeoptError
from edgeopt.target import Target

SECTIONS = (
    "SECTIONS { .text : { *(.text*) *(.rodata*) *(.srodata*) } .data : { *(.data*) *(.sdata*) } }"  # a script: no start files
)


@dataclass(frozen=True)
class Libraries:
    """``size`` bytes of functions beyond the code, the deepest of which takes ``stack`` bytes."""

    size: int = 0
    stack: int = 0


def libraries(library: bytes | memoryview, name: str, target: Target) -> Libraries | None:
    """What ``NAME_run`` in the static ``library`` calls beyond it; None where that cannot be linked."""
    code = Elf(archived(library))
    command = compiler(target)
    if command is None:
        return None if code.undefined() else Libraries()
    with tempfile.TemporaryDirectory(prefix="edgeopt-link-") as folder:
        (Path(folder) / "libmodel.a").write_bytes(library)
        (Path(folder) / "all.ld").write_text(SECTIONS)
        start = ["-nostartfiles", "-static", "-T", "all.ld", "-Wl,--gc-sections", f"-Wl,-e,{name}_run"]
        try:
            invoke([*command, *bare_flags(target), *start, "libmodel.a", "-lm", "-o", "linked.elf"], Path(folder))
        except EdgeoptError:  # a toolchain without a C library
            return None
        whole = Elf((Path(folder) / "linked.elf").read_bytes())
    own = frame_bytes(code, target)
    deepest = max((size for function, size in frame_bytes(whole, target).items() if function not in own), default=0)
    return Libraries(max(0, whole.loaded_bytes - code.loaded_bytes), deepest)
