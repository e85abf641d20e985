"""LLVM IR of ``NAME_init``: the file of weights is checked by its size and its checksum before it is copied or decoded."""

from __future__ import annotations

from edgeopt.codegen.decoding import DECLARATION, DECODER
from edgeopt.coding.block import entries_of, work_bytes
from edgeopt.coding.checksum import FACTOR, TURN, checksum
from edgeopt.coding.decoder import BATCH, COUNTERS, TABLE
from edgeopt.lower.program import Program

ERRORS = {"OK": 0, "ERROR_NULL": 1, "ERROR_ALIGNMENT": 2, "ERROR_SIZE": 3, "ERROR_CHECKSUM": 4, "ERROR_ROWS": 5}


def weights_bytes(program: Program) -> int:
    """Bytes a caller provides: the weights, and the memory that the decoder works in behind them."""
    return program.weights_bytes + (0 if program.file is None else work_bytes(entries_of(program.file)))


def file_of(program: Program) -> bytes | memoryview:
    """What lies in ``weights.bin``."""
    return program.weights if program.file is None else program.file


def init_ir(program: Program, size: str) -> str:
    """``NAME_init(file, bytes, weights)``: copies the weights, or decodes them where they are coded."""
    file, copied = file_of(program), program.file is None
    copy = "  %to = getelementptr i32, ptr %weights, i64 %i\n  store i32 %word, ptr %to, align 1\n" if copied else ""
    return f"""define i32 @{program.name}_init(ptr %file, {size} %bytes, ptr %weights) {{
entry:
  %wrong = icmp ne {size} %bytes, {len(file)}
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
  %sum = phi i32 [ 0, %pointers ], [ %sum.next, %body ]
  %more = icmp slt i64 %i, {len(file) // 4}
  br i1 %more, label %body, label %done
body:
  %from = getelementptr i32, ptr %file, i64 %i
  %word = load i32, ptr %from, align 1
{copy}  %added = xor i32 %sum, %word
  %turned = call i32 @llvm.fshl.i32(i32 %added, i32 %added, i32 {TURN})
  %sum.next = mul i32 %turned, {_signed(FACTOR)}
  %next = add i64 %i, 1
  br label %head
done:
  %same = icmp eq i32 %sum, {_signed(checksum(file))}
  br i1 %same, label %sound, label %damaged
damaged:
  ret i32 {ERRORS["ERROR_CHECKSUM"]}
sound:
{"  ret i32 0" if copied else _decode(program, size)}
}}
declare i32 @llvm.fshl.i32(i32, i32, i32)
{"" if copied else DECLARATION}"""


def _decode(program: Program, size: str) -> str:
    """Decode all entries; the memory to work in lies behind the weights."""
    space, whole = program.weights_bytes, weights_bytes(program)
    arguments = f"ptr %file, i64 {len(file_of(program))}, ptr %weights, i64 {space}, ptr %work, i64 {whole - space}"
    return f"""  %result = alloca ptr
  %error = alloca ptr
  %table = alloca [{TABLE + COUNTERS} x i32]
  %batch = alloca [{BATCH} x i8]
  %status = alloca i64
  %work = getelementptr i8, ptr %weights, {size} {space}
  call i32 @{DECODER}(ptr %result, ptr %error, {arguments}, i64 0, i64 {len(entries_of(file_of(program)))}, ptr %table,
    ptr %batch, ptr %status)
  %problem = load i64, ptr %status
  %clean = icmp eq i64 %problem, 0
  %code = select i1 %clean, i32 0, i32 {ERRORS["ERROR_CHECKSUM"]}
  ret i32 %code"""


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value
