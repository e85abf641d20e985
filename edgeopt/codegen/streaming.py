"""LLVM IR that moves the rows of a streamed input through the bands of its first layers.

What is kept between calls lies in the arena: a count of the rows of the input, and for each band of rows what it was given and
what it has made. ``NAME_settle`` makes every row that can be made by now, the deepest layers first, so that a band is read before
a row of it is lost. Rows that a map ends with beyond the last are filled in when they are needed.
"""

from __future__ import annotations

from edgeopt.lower.program import Band, Program, Stream

FIELDS = ("rows", "stride", "whole", "results", "row", "kept", "offset", "fill", "first", "last", "above")


def driver_ir(program: Program, stream: Stream, size: str) -> str:
    """The functions that move rows through the bands of ``program``, whose addresses have ``size``."""
    name, bits = program.name, int(size[1:])
    rows = ", ".join(_row(band, size) for band in stream.bands)
    table = f"@{name}_bands = internal constant [{len(stream.bands)} x [{len(FIELDS)} x {size}]] [{rows}]"
    parts = [table, _field(name, size, len(stream.bands)), _count(name, stream, bits), _newest(name, size)]
    return "\n".join([*parts, _settle(program, stream, size)])


def _row(band: Band, size: str) -> str:
    """A band as the table has it: ``whole`` are the rows that it is given but for those beyond the last."""
    whole, kept = band.above + band.height, (band.rows - 1) * band.row_bytes
    values = (band.rows, band.stride, whole, band.results, band.row_bytes, kept, band.offset, band.fill, band.first, band.last)
    return f"[{len(FIELDS)} x {size}] [{', '.join(f'{size} {value}' for value in (*values, band.above))}]"


def _field(name: str, size: str, bands: int) -> str:
    return f"""define internal {size} @{name}_field({size} %band, {size} %field) alwaysinline {{
  %at = getelementptr [{bands} x [{len(FIELDS)} x {size}]], ptr @{name}_bands, i32 0, {size} %band, {size} %field
  %value = load {size}, ptr %at
  ret {size} %value
}}"""


def _count(name: str, stream: Stream, bits: int) -> str:
    """The address of a count: 0 of the rows of the input, 1 + 2 b of those that band b was given, 2 + 2 b of those it made."""
    return f"""define internal ptr @{name}_count(ptr %arena, i{bits} %index) alwaysinline {{
  %state = getelementptr i8, ptr %arena, i{bits} {stream.state}
  %at = getelementptr i{bits}, ptr %state, i{bits} %index
  ret ptr %at
}}"""


def read_field(name: str, size: str, result: str, field: str, band: str = "%band") -> str:
    """The instruction that sets ``%RESULT`` to a field of a band."""
    return f"%{result} = call {size} @{name}_field({size} {band}, {size} {FIELDS.index(field)})"


def _newest(name: str, size: str) -> str:
    """Move the rows of a band up by one and count one more; the address of the newest."""
    return f"""define internal ptr @{name}_newest(ptr %arena, {size} %band) {{
  {read_field(name, size, "row", "row")}
  {read_field(name, size, "kept", "kept")}
  {read_field(name, size, "offset", "offset")}
  %start = getelementptr i8, ptr %arena, {size} %offset
  %second = getelementptr i8, ptr %start, {size} %row
  call void @llvm.memmove.p0.p0.{size}(ptr %start, ptr %second, {size} %kept, i1 false)
  %twice = shl {size} %band, 1
  %index = add {size} %twice, 1
  %given.at = call ptr @{name}_count(ptr %arena, {size} %index)
  %given = load {size}, ptr %given.at
  %more = add {size} %given, 1
  store {size} %more, ptr %given.at
  %newest = getelementptr i8, ptr %start, {size} %kept
  ret ptr %newest
}}
declare void @llvm.memmove.p0.p0.{size}(ptr, ptr, {size}, i1)
declare void @llvm.memcpy.p0.p0.{size}(ptr, ptr, {size}, i1)
declare void @llvm.memset.p0.{size}(ptr, i8, {size}, i1)"""


def _settle(program: Program, stream: Stream, size: str) -> str:
    name, deepest = program.name, len(stream.bands) - 1
    return f"""define internal void @{name}_settle(ptr %ctx, ptr %arena, ptr %output) {{
entry:
  br label %head
head:
  %band = phi {size} [ 0, %entry ], [ %deeper, %made ], [ %band, %beyond ], [ %back, %starved ]
  %none = icmp slt {size} %band, 0
  br i1 %none, label %done, label %look
look:
  %twice = shl {size} %band, 1
  %given.index = add {size} %twice, 1
  %made.index = add {size} %twice, 2
  %given.at = call ptr @{name}_count(ptr %arena, {size} %given.index)
  %made.at = call ptr @{name}_count(ptr %arena, {size} %made.index)
  %given = load {size}, ptr %given.at
  %results = load {size}, ptr %made.at
  {read_field(name, size, "rows", "rows")}
  {read_field(name, size, "stride", "stride")}
  {read_field(name, size, "whole", "whole")}
  {read_field(name, size, "most", "results")}
  %begun = mul {size} %results, %stride
  %needed = add {size} %begun, %rows
  %left = icmp slt {size} %results, %most
  %enough = icmp sge {size} %given, %needed
  %ready = and i1 %left, %enough
  br i1 %ready, label %make, label %wait
make:
  %more = add {size} %results, 1
  store {size} %more, ptr %made.at
  %following = add {size} %band, 1
  %last.band = icmp eq {size} %band, {deepest}
  br i1 %last.band, label %final, label %inner
final:
  %skipped = mul {size} %results, {stream.result_row}
  %place = add {size} %skipped, {stream.result}
  %at = getelementptr i8, ptr %arena, {size} %place
  store ptr %at, ptr %output
  br label %made
inner:
  %room = call ptr @{name}_newest(ptr %arena, {size} %following)
  br label %made
made:
  %deeper = phi {size} [ %band, %final ], [ %following, %inner ]
  {read_field(name, size, "first", "first")}
  {read_field(name, size, "last", "last")}
  %first.wide = {_wide(size, "%first")}
  %last.wide = {_wide(size, "%last")}
  call void @{name}_steps(ptr %ctx, i64 %first.wide, i64 %last.wide)
  br label %head
wait:
  %complete = icmp sge {size} %given, %whole
  %ends = and i1 %left, %complete
  br i1 %ends, label %beyond, label %starved
beyond:
  %newest = call ptr @{name}_newest(ptr %arena, {size} %band)
  {read_field(name, size, "row", "row")}
  {read_field(name, size, "fill", "fill")}
  %byte = trunc {size} %fill to i8
  call void @llvm.memset.p0.{size}(ptr %newest, i8 %byte, {size} %row, i1 false)
  br label %head
starved:
  %back = sub {size} %band, 1
  br label %head
done:
  ret void
}}"""


def _wide(size: str, value: str) -> str:
    return f"add i64 {value}, 0" if size == "i64" else f"zext {size} {value} to i64"
