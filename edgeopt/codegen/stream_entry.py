"""LLVM IR of the C entry points of a streamed input: ``NAME_stream_begin``, ``_rows``, ``_end``, and ``NAME_run`` by those."""

from __future__ import annotations

from edgeopt.codegen.context import context_ir
from edgeopt.codegen.initial import ERRORS
from edgeopt.codegen.streaming import driver_ir, read_field
from edgeopt.lower.memory import ALIGNMENT
from edgeopt.lower.program import Program, Stream


def stream_ir(program: Program, stream: Stream, size: str) -> str:
    """The functions of ``program``, whose addresses have ``size``."""
    name = program.name
    parts = [driver_ir(program, stream, size), _check(name, size), _begin(name, stream, size), _rows(program, stream, size)]
    return "\n".join([*parts, _end(program, stream, size), _run(name, stream, size)])


def _check(name: str, size: str) -> str:
    """The error of pointers of which none may be null, and of which the last two are aligned."""
    return f"""define internal i32 @{name}_check(ptr %one, ptr %arena, ptr %weights) {{
  %one.null = icmp eq ptr %one, null
  %arena.null = icmp eq ptr %arena, null
  %weights.null = icmp eq ptr %weights, null
  %two = or i1 %one.null, %arena.null
  %any = or i1 %two, %weights.null
  %a = ptrtoint ptr %arena to {size}
  %w = ptrtoint ptr %weights to {size}
  %bits = or {size} %a, %w
  %low = and {size} %bits, {ALIGNMENT - 1}
  %odd = icmp ne {size} %low, 0
  %code = select i1 %odd, i32 {ERRORS["ERROR_ALIGNMENT"]}, i32 0
  %found = select i1 %any, i32 {ERRORS["ERROR_NULL"]}, i32 %code
  ret i32 %found
}}"""


def _begin(name: str, stream: Stream, size: str) -> str:
    """Forget all rows; bands begin with rows above their maps."""
    return f"""define i32 @{name}_stream_begin(ptr %arena) {{
entry:
  %code = call i32 @{name}_check(ptr %arena, ptr %arena, ptr %arena)
  %wrong = icmp ne i32 %code, 0
  br i1 %wrong, label %done, label %start
start:
  %none = call ptr @{name}_count(ptr %arena, {size} 0)
  store {size} 0, ptr %none
  br label %body
body:
  %band = phi {size} [ 0, %start ], [ %next, %body ]
  %twice = shl {size} %band, 1
  %given.index = add {size} %twice, 1
  %made.index = add {size} %twice, 2
  %given.at = call ptr @{name}_count(ptr %arena, {size} %given.index)
  %made.at = call ptr @{name}_count(ptr %arena, {size} %made.index)
  {read_field(name, size, "above", "above")}
  {read_field(name, size, "row", "row")}
  {read_field(name, size, "kept", "kept")}
  {read_field(name, size, "offset", "offset")}
  {read_field(name, size, "fill", "fill")}
  store {size} %above, ptr %given.at
  store {size} 0, ptr %made.at
  %at = getelementptr i8, ptr %arena, {size} %offset
  %whole = add {size} %kept, %row
  %byte = trunc {size} %fill to i8
  call void @llvm.memset.p0.{size}(ptr %at, i8 %byte, {size} %whole, i1 false)
  %next = add {size} %band, 1
  %more = icmp ult {size} %next, {len(stream.bands)}
  br i1 %more, label %body, label %done
done:
  %result = phi i32 [ %code, %entry ], [ 0, %body ]
  ret i32 %result
}}"""


def _rows(program: Program, stream: Stream, size: str) -> str:
    name, first, beyond = program.name, stream.bands[0], len(program.outputs)
    return f"""define i32 @{name}_stream_rows(ptr %rows, {size} %count, {size} %stride, ptr %arena, ptr %weights) {{
entry:
  %ctx = alloca [5 x ptr]
  %outputs = alloca [{beyond + 1} x ptr]
  %code = call i32 @{name}_check(ptr %rows, ptr %arena, ptr %weights)
  %wrong = icmp ne i32 %code, 0
  br i1 %wrong, label %done, label %good
good:
  %given.at = call ptr @{name}_count(ptr %arena, {size} 0)
  %given = load {size}, ptr %given.at
  %room = sub {size} {first.height}, %given
  %short = icmp ugt {size} %given, {first.height}
  %over = icmp ugt {size} %count, %room
  %many = or i1 %short, %over
  br i1 %many, label %done, label %start
start:
  %sum = add {size} %given, %count
  store {size} %sum, ptr %given.at
{context_ir(program, "null", "%outputs")}
  %output = getelementptr ptr, ptr %outputs, i64 {beyond}
  br label %head
head:
  %i = phi {size} [ 0, %start ], [ %next, %body ]
  %more = icmp ult {size} %i, %count
  br i1 %more, label %body, label %done
body:
  %skipped = mul {size} %i, %stride
  %from = getelementptr i8, ptr %rows, {size} %skipped
  %to = call ptr @{name}_newest(ptr %arena, {size} 0)
  call void @llvm.memcpy.p0.p0.{size}(ptr %to, ptr %from, {size} {first.row_bytes}, i1 false)
  call void @{name}_settle(ptr %ctx, ptr %arena, ptr %output)
  %next = add {size} %i, 1
  br label %head
done:
  %result = phi i32 [ %code, %entry ], [ {ERRORS["ERROR_ROWS"]}, %good ], [ 0, %head ]
  ret i32 %result
}}"""


def _end(program: Program, stream: Stream, size: str) -> str:
    """The rest of the network, once all rows are there."""
    name, given = program.name, any(port.offset is None for port in program.outputs)
    return f"""define i32 @{name}_stream_end(ptr %given.outputs, ptr %arena, ptr %weights) {{
entry:
  %ctx = alloca [5 x ptr]
  %code = call i32 @{name}_check(ptr {"%given.outputs" if given else "%arena"}, ptr %arena, ptr %weights)
  %wrong = icmp ne i32 %code, 0
  br i1 %wrong, label %done, label %good
good:
  %count.at = call ptr @{name}_count(ptr %arena, {size} 0)
  %count = load {size}, ptr %count.at
  %whole = icmp eq {size} %count, {stream.bands[0].height}
  br i1 %whole, label %rest, label %done
rest:
{context_ir(program, "null", "%given.outputs")}
  call void @{name}_steps(ptr %ctx, i64 {stream.steps}, i64 {len(program.native)})
  br label %done
done:
  %result = phi i32 [ %code, %entry ], [ {ERRORS["ERROR_ROWS"]}, %good ], [ 0, %rest ]
  ret i32 %result
}}"""


def _run(name: str, stream: Stream, size: str) -> str:
    """All rows of an input that lies in memory, one after another."""
    first = stream.bands[0]
    return f"""define i32 @{name}_run(ptr %inputs, ptr %outputs, ptr %arena, ptr %weights) {{
entry:
  %null = icmp eq ptr %inputs, null
  br i1 %null, label %done, label %begin
begin:
  %begun = call i32 @{name}_stream_begin(ptr %arena)
  %begun.wrong = icmp ne i32 %begun, 0
  br i1 %begun.wrong, label %done, label %feed
feed:
  %rows = load ptr, ptr %inputs
  %fed = call i32 @{name}_stream_rows(ptr %rows, {size} {first.height}, {size} {first.row_bytes}, ptr %arena, ptr %weights)
  %fed.wrong = icmp ne i32 %fed, 0
  br i1 %fed.wrong, label %done, label %end
end:
  %ended = call i32 @{name}_stream_end(ptr %outputs, ptr %arena, ptr %weights)
  br label %done
done:
  %code = phi i32 [ {ERRORS["ERROR_NULL"]}, %entry ], [ %begun, %begin ], [ %fed, %feed ], [ %ended, %end ]
  ret i32 %code
}}"""
