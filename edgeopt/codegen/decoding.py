"""The decoder of coded weights as LLVM IR: the function that numba compiles for this process, captured for any target."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path

from numba import types

from edgeopt.cache import keep, read
from edgeopt.codegen.capture import capture, digest
from edgeopt.coding import block
from edgeopt.coding.restore import restore
from edgeopt.compiled import source_digest
from edgeopt.kernels.emit.intrinsics import pointer
from edgeopt.lower.program import Program

DECODER = "edgeopt.restore"
DECLARATION = f"declare i32 @{DECODER}(ptr, ptr, ptr, i64, ptr, i64, ptr, i64, i64, i64, ptr, ptr, ptr)"


def decoder_texts(program: Program, library: bool) -> list[str]:
    """The text that a ``library`` of ``program`` needs besides its driver, kept in the cache: numba takes seconds for it."""
    if program.file is None or not library:
        return []
    folders = Path(__file__).parent, Path(inspect.getfile(block)).parent
    entry = f"decoder-{digest(*map(source_digest, folders))}.ll"
    data = read(entry)
    if data is None:
        data = decoder_ir().encode()
        keep(entry, data)
    return [data.decode()]


@cache
def decoder_ir() -> str:
    """``edgeopt.restore(result, error, file, bytes, weights, bytes, work, bytes, first, last, table, batch, status)``."""
    memory, number = pointer("uint8"), types.int64
    signature = (*(memory, number) * 3, number, number, pointer("uint32"), memory, pointer("int64"))
    text = capture(restore.py_func, signature, DECODER, exact=True)
    return text.replace("alwaysinline", "noinline", 1)
