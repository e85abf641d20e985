"""LLVM IR that finds the operands of a step in tables, so that equal calls share their code however many steps there are.

A step is a form, which is a kernel with the kinds of memory its operands lie in (and whether denormal numbers are flushed
meanwhile), and a word of the table for each offset. A kernel is specialised to the constants of a call, unless these are too
many: the parts of a Concat of thousands differ in a constant each. Then the constants are words of the table as well.
A function for each step, or a block for each input, would make the code generator's time grow faster than the model.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from edgeopt.codegen.denormals import flushed, flushes
from edgeopt.lower.program import Place, Program, Step
from edgeopt.target import Target

FIELDS = {"input": 0, "output": 1, "arena": 2, "weights": 3, "scratch": 4}


@dataclass(frozen=True)
class Callee:
    """The function that a step calls, and the constants it takes behind its operands: none when it is specialised to them.

    ``open`` are the places of these among all the constants of the step.
    """

    name: str
    constants: tuple[int | float, ...] = ()
    open: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Form:
    """What the wrapper of a step is made for."""

    callee: str
    constants: tuple[bool, ...]  # True for a float, False for an integer
    flushed: bool
    kinds: tuple[str, ...]


def dispatch_ir(program: Program, target: Target, callees: Sequence[Callee]) -> str:
    """``NAME_step(ctx, step, begin, end, thread)``: runs chunks ``begin`` to ``end`` of one step."""
    of_steps = [_form(step, callee, target) for step, callee in zip(program.native, callees, strict=True)]
    numbers = {form: number for number, form in enumerate(dict.fromkeys(of_steps))}
    rows = [_words(step, callee) for step, callee in zip(program.native, callees, strict=True)]
    words = [word for row in rows for word in row]
    width = "i32" if all(0 <= word < 1 << 31 for word in words) else "i64"
    chosen, firsts = [numbers[form] for form in of_steps], _running([len(row) for row in rows])
    tables = [_table(program, "forms", "i32", chosen), _table(program, "firsts", "i32", firsts)]
    tables.append(_table(program, "offsets", width, words))
    functions = [_wrapper(number, form, width, program.scratch_bytes) for form, number in numbers.items()]
    return "\n".join([*tables, *functions, _switch(program, len(numbers), width)])


def address(i: int, place: Place) -> list[str]:
    """Code that sets ``%pI`` to the address of ``place`` in the memory of the first thread."""
    return _pointer(i, place.kind, str(place.offset), None)


def _form(step: Step, callee: Callee, target: Target) -> Form:
    kinds = tuple(place.kind for place in step.places)
    return Form(callee.name, tuple(isinstance(c, float) for c in callee.constants), flushes(step.op, target), kinds)


def _words(step: Step, callee: Callee) -> list[int]:
    return [*(place.offset for place in step.places), *map(_bits, callee.constants)]


def _bits(constant: int | float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", constant))[0]) if isinstance(constant, float) else int(constant)


def _running(sizes: Sequence[int]) -> list[int]:
    firsts = [0]
    for size in sizes:
        firsts.append(firsts[-1] + size)
    return firsts[:-1]


def _table(program: Program, name: str, width: str, values: Sequence[int]) -> str:
    entries = ", ".join(f"{width} {value}" for value in values or [0])
    return f"@{program.name}_{name} = internal constant [{max(1, len(values))} x {width}] [{entries}]"


def _wrapper(number: int, form: Form, width: str, scratch_bytes: int) -> str:
    lines = [f"define internal void @form_{number}(ptr %ctx, ptr %offsets, i64 %begin, i64 %end, i64 %thread) noinline {{"]
    for i, kind in enumerate(form.kinds):
        lines += [*_word(i, width), *_pointer(i, kind, f"%v{i}", scratch_bytes)]
    given = ["i64 %begin", "i64 %end"]
    for i, real in enumerate(form.constants, len(form.kinds)):
        lines += _word(i, width)
        if real:
            lines += [f"  %w{i} = trunc i64 %v{i} to i32", f"  %r{i} = bitcast i32 %w{i} to float"]
        given.append(f"float %r{i}" if real else f"i64 %v{i}")
    actual = "".join(f"ptr %p{i}, " for i in range(len(form.kinds)))
    call = f"  call void @{form.callee}({actual}{', '.join(given)})"
    return "\n".join([*lines, *(flushed(call) if form.flushed else [call]), "  ret void", "}"])


def _word(i: int, width: str) -> list[str]:
    """Code that sets ``%vI`` to word ``i`` of the step."""
    lines = [f"  %q{i} = getelementptr {width}, ptr %offsets, i64 {i}", f"  %n{i} = load {width}, ptr %q{i}"]
    return [*lines, f"  %v{i} = zext i32 %n{i} to i64" if width == "i32" else f"  %v{i} = add i64 %n{i}, 0"]


def _pointer(i: int, kind: str, offset: str, scratch_bytes: int | None) -> list[str]:
    lines = [f"  %f{i} = getelementptr ptr, ptr %ctx, i64 {FIELDS[kind]}", f"  %b{i} = load ptr, ptr %f{i}"]
    if kind in ("input", "output"):
        return [*lines, f"  %e{i} = getelementptr ptr, ptr %b{i}, i64 {offset}", f"  %p{i} = load ptr, ptr %e{i}"]
    if kind == "scratch" and scratch_bytes is not None:
        lines += [f"  %t{i} = mul i64 %thread, {scratch_bytes}", f"  %o{i} = add i64 %t{i}, {offset}"]
        return [*lines, f"  %p{i} = getelementptr i8, ptr %b{i}, i64 %o{i}"]
    return [*lines, f"  %p{i} = getelementptr i8, ptr %b{i}, i64 {offset}"]


def _switch(program: Program, forms: int, width: str) -> str:
    name = program.name
    cases = "\n".join(f"    i32 {number}, label %s{number}" for number in range(forms))
    given = "ptr %ctx, ptr %offsets, i64 %begin, i64 %end, i64 %thread"
    blocks = "\n".join(f"s{number}:\n  call void @form_{number}({given})\n  ret void" for number in range(forms))
    return f"""define void @{name}_step(ptr %ctx, i64 %step, i64 %begin, i64 %end, i64 %thread) {{
  %form.at = getelementptr i32, ptr @{name}_forms, i64 %step
  %form = load i32, ptr %form.at
  %first.at = getelementptr i32, ptr @{name}_firsts, i64 %step
  %first = load i32, ptr %first.at
  %first.wide = zext i32 %first to i64
  %offsets = getelementptr {width}, ptr @{name}_offsets, i64 %first.wide
  switch i32 %form, label %none [
{cases}
  ]
{blocks}
none:
  ret void
}}"""


def advance_ir(name: str, sizes: Sequence[int]) -> str:
    """``NAME_advance(table)``: every pointer of ``table`` moves on by its bytes."""
    entries = ", ".join(f"i64 {size}" for size in sizes or [0])
    return f"""@{name}_bytes = internal constant [{max(1, len(sizes))} x i64] [{entries}]
define internal void @{name}_advance(ptr %table) {{
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %i, {len(sizes)}
  br i1 %more, label %body, label %done
body:
  %slot = getelementptr ptr, ptr %table, i64 %i
  %old = load ptr, ptr %slot
  %size.at = getelementptr i64, ptr @{name}_bytes, i64 %i
  %size = load i64, ptr %size.at
  %new = getelementptr i8, ptr %old, i64 %size
  store ptr %new, ptr %slot
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}}"""
