"""LLVM IR of the public C entry points: ``NAME_run``, ``NAME_init`` and the size constants.

They keep no state and allocate nothing. ``NAME_run`` refuses arenas and weights that are not aligned instead of assuming it;
``NAME_init`` checks the size and the checksum of the weight file before it copies.
"""

from __future__ import annotations

import numpy as np

from edgeopt.lower.layout import layout, layout_digest
from edgeopt.lower.memory import ALIGNMENT
from edgeopt.lower.program import Program
from edgeopt.target import Target

ERRORS = {"OK": 0, "ERROR_NULL": 1, "ERROR_ALIGNMENT": 2, "ERROR_SIZE": 3, "ERROR_CHECKSUM": 4}
_MIX = 0x9E3779B1


def arena_bytes(program: Program) -> int:
    """Bytes a caller provides: the planned arena and the scratch of one thread behind it."""
    return program.arena_bytes + program.scratch_bytes


def checksum(data: bytes | memoryview) -> int:
    """Fletcher's two sums over little-endian 32-bit words modulo 2**32, mixed into one; data is a multiple of 4 bytes.

    It depends on the order of the words, and costs two additions a word on a microcontroller.
    """
    words = np.frombuffer(data, "<u4")
    weights = np.arange(len(words), 0, -1, dtype=np.uint32)
    first, second = int(np.sum(words, dtype=np.uint32)), int(np.sum(words * weights, dtype=np.uint32))
    return (first * _MIX ^ second) & 0xFFFFFFFF


def entry_ir(program: Program, target: Target, library: bool) -> str:
    """The public functions of ``program``, and for a library the decoder and the size constants."""
    size = f"i{8 * target.pointer_bytes}"
    if not library:
        return "\n".join([_layout(program), _run(program, size)])
    constants = [
        f"@{program.name}_arena_bytes = constant {size} {arena_bytes(program)}",
        f"@{program.name}_weights_bytes = constant {size} {len(program.weights)}",
    ]
    return "\n".join([*constants, _run(program, size), _init(program, size)])


def _layout(program: Program) -> str:
    digest = layout_digest(layout(program))
    text = "".join(f"\\{byte:02X}" for byte in digest)
    return f'@{program.name}_layout = constant [{len(digest)} x i8] c"{text}"'


def _run(program: Program, size: str) -> str:
    name = program.name
    return f"""define i32 @{name}_run(ptr %inputs, ptr %outputs, ptr %arena, ptr %weights) {{
entry:
  %ctx = alloca [5 x ptr]
  %a = ptrtoint ptr %arena to {size}
  %w = ptrtoint ptr %weights to {size}
  %in.null = icmp eq ptr %inputs, null
  %out.null = icmp eq ptr %outputs, null
  %arena.null = icmp eq ptr %arena, null
  %any.0 = or i1 %in.null, %out.null
  %any.1 = or i1 %any.0, %arena.null
  %w.null = icmp eq ptr %weights, null
  %w.needed = and i1 %w.null, {"true" if program.weights else "false"}
  %any = or i1 %any.1, %w.needed
  br i1 %any, label %null, label %given
null:
  ret i32 {ERRORS["ERROR_NULL"]}
given:
  %bits = or {size} %a, %w
  %low = and {size} %bits, {ALIGNMENT - 1}
  %odd = icmp ne {size} %low, 0
  br i1 %odd, label %misaligned, label %good
misaligned:
  ret i32 {ERRORS["ERROR_ALIGNMENT"]}
good:
  store ptr %inputs, ptr %ctx
  %c1 = getelementptr ptr, ptr %ctx, i64 1
  store ptr %outputs, ptr %c1
  %c2 = getelementptr ptr, ptr %ctx, i64 2
  store ptr %arena, ptr %c2
  %c3 = getelementptr ptr, ptr %ctx, i64 3
  store ptr %weights, ptr %c3
  %c4 = getelementptr ptr, ptr %ctx, i64 4
  %scratch = getelementptr i8, ptr %arena, i64 {program.arena_bytes}
  store ptr %scratch, ptr %c4
  call void @{name}_steps(ptr %ctx, i64 0, i64 {len(program.native)})
  ret i32 0
}}"""


def _init(program: Program, size: str) -> str:
    words = len(program.weights) // 4
    return f"""define i32 @{program.name}_init(ptr %file, {size} %bytes, ptr %weights) {{
entry:
  %wrong = icmp ne {size} %bytes, {len(program.weights)}
  br i1 %wrong, label %size, label %pointers
size:
  ret i32 {ERRORS["ERROR_SIZE"]}
pointers:
  %no.file = icmp eq ptr %file, null
  %no.weights = icmp eq ptr %weights, null
  %none = or i1 %no.file, %no.weights
  br i1 %none, label %null, label %head
null:
  ret i32 {ERRORS["ERROR_NULL"]}
head:
  %i = phi i64 [ 0, %pointers ], [ %next, %body ]
  %first = phi i32 [ 0, %pointers ], [ %first.next, %body ]
  %second = phi i32 [ 0, %pointers ], [ %second.next, %body ]
  %more = icmp slt i64 %i, {words}
  br i1 %more, label %body, label %done
body:
  %from = getelementptr i32, ptr %file, i64 %i
  %to = getelementptr i32, ptr %weights, i64 %i
  %word = load i32, ptr %from, align 1
  store i32 %word, ptr %to, align 1
  %first.next = add i32 %first, %word
  %second.next = add i32 %second, %first.next
  %next = add i64 %i, 1
  br label %head
done:
  %mixed = mul i32 %first, {_signed(_MIX)}
  %sum = xor i32 %mixed, %second
  %same = icmp eq i32 %sum, {_signed(checksum(program.weights))}
  %code = select i1 %same, i32 0, i32 {ERRORS["ERROR_CHECKSUM"]}
  ret i32 %code
}}"""


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value
