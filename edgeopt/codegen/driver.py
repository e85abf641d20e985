"""LLVM IR of the driver: one function per distinct call, and the entry points over all steps.

``ctx`` is {inputs, outputs, arena, weights, scratch} (five pointers). Besides the C entry points there are
``NAME_steps(ctx, first, last)``, which runs a range of steps on the calling thread, and
``NAME_step(ctx, step, begin, end, thread)``, which runs chunks of one step, for the pool.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from edgeopt.codegen.capture import digest
from edgeopt.codegen.denormals import mode_declarations
from edgeopt.codegen.dispatch import Callee, address, advance_ir, dispatch_ir
from edgeopt.codegen.entry import entry_ir
from edgeopt.codegen.flow import in_range, next_ir, next_step
from edgeopt.codegen.kernel_text import constants, is_walk, kernel_name
from edgeopt.codegen.pool import pool_ir
from edgeopt.ir import numpy_dtype
from edgeopt.lower.program import Binding, Program, Step
from edgeopt.target import Target

MAX_COPIES = 100  # of one kernel, each specialised to the constants of a call; each costs tens of milliseconds
MAX_COPIES_OF_WALKS = 1  # of a kernel that only walks over functions of the vector emitter, which stay as they are


def call_name(step: Step) -> str:
    """The symbol of a kernel specialised to its constants."""
    return "call_" + digest(kernel_name(step), constants(step))


@dataclass(frozen=True)
class Unit:
    """A function that steps call: its name, its text, which calls a kernel, and a step of that kernel."""

    name: str
    text: str
    step: Step


def driver_ir(program: Program, target: Target, library: bool = False, apart: bool = False) -> str:
    """The driver's text; it refers to the captured kernels by ``kernel_name``. A library has no threads and no sample loop.

    With ``apart`` the functions that steps call are only declared, as ``units`` that another text defines.
    """
    steps, callees = program.native, _callees(program.native)
    found = {callee.name: (callee, step) for callee, step in zip(callees, steps, strict=True)}
    if apart:
        parts = [_outside(callee, step) for callee, step in found.values()]
    else:
        parts = [_declaration(s) for s in {kernel_name(s): s for s in steps}.values()]
        parts += [_function(callee, step) for callee, step in found.values()]
    parts += [mode_declarations(target), dispatch_ir(program, target, callees), next_ir(program, address), _range(program)]
    parts.append(entry_ir(program, target, library))
    return "\n".join(parts if library else [*parts, _samples(program), pool_ir(program, target)])


def units(program: Program) -> list[Unit]:
    """The functions that the steps of ``program`` call."""
    steps, callees = program.native, _callees(program.native)
    found = {callee.name: (callee, step) for callee, step in zip(callees, steps, strict=True)}
    return [Unit(name, f"{_declaration(step)}\n{_function(callee, step)}", step) for name, (callee, step) in found.items()]


def _callees(steps: Sequence[Step]) -> list[Callee]:
    """What each step calls: a kernel specialised to its constants, or where it has too many to those that all its calls share."""
    variants: dict[str, set[tuple[int | float, ...]]] = {}
    names = [kernel_name(step) for step in steps]
    for name, step in zip(names, steps, strict=True):
        variants.setdefault(name, set()).add(constants(step))
    return [_callee(step, variants[name]) for name, step in zip(names, steps, strict=True)]


def _callee(step: Step, variants: set[tuple[int | float, ...]]) -> Callee:
    if len(variants) <= (MAX_COPIES_OF_WALKS if is_walk(step) else MAX_COPIES):
        return Callee(call_name(step))
    differing = [i for i, values in enumerate(zip(*variants, strict=True)) if len(set(values)) > 1]
    return Callee(f"general_{kernel_name(step)}", tuple(constants(step)[i] for i in differing), frozenset(differing))


def single_ir(program: Program) -> str:
    """One function ``single_N(pointers)`` per step and no entry points: for counting what a step executes."""
    steps = program.native
    parts = [_declaration(s) for s in {kernel_name(s): s for s in steps}.values()]
    parts += [_function(Callee(name), s) for name, s in {call_name(s): s for s in steps}.items()]
    return "\n".join([*parts, *(_single(index, s) for index, s in enumerate(steps))])


def _single(index: int, step: Step) -> str:
    given = ", ".join(f"ptr %p{i}" for i in range(len(step.places)))
    call = f"call void @{call_name(step)}({given + ', ' if given else ''}i64 0, i64 {step.call.chunks})"
    return f"define void @single_{index}({given}) {{\n  {call}\n  ret void\n}}"


def _declaration(step: Step) -> str:
    arguments = ", ".join(["ptr"] * (2 + len(step.places)) + ["i64", "i64", *map(_kind, constants(step))])
    return f"declare i32 @{kernel_name(step)}({arguments})"


def _function(callee: Callee, step: Step) -> str:
    """What ``callee`` calls with the constants it takes and, as literals, the others of ``step``."""
    pointers = [f"%p{i}" for i in range(len(step.places))]
    open_ = [f"{_kind(c)} %c{i}" for i, c in enumerate(constants(step)) if i in callee.open]
    given = [f"{_kind(c)} %c{i}" if i in callee.open else _literal(c) for i, c in enumerate(constants(step))]
    formal = ", ".join([*(f"ptr noalias {p}" for p in pointers), "i64 %begin", "i64 %end", *open_])
    actual = ", ".join([*(f"ptr {p}" for p in pointers), "i64 %begin", "i64 %end", *given])
    return f"""define void @{callee.name}({formal}) noinline {{
  %result = alloca ptr
  %error = alloca ptr
  call i32 @{kernel_name(step)}(ptr %result, ptr %error, {actual})
  ret void
}}"""


def _outside(callee: Callee, step: Step) -> str:
    kinds = ["ptr"] * len(step.places) + ["i64", "i64", *map(_kind, callee.constants)]
    return f"declare hidden void @{callee.name}({', '.join(kinds)})"


def _kind(constant: int | float) -> str:
    return "float" if isinstance(constant, float) else "i64"


def _literal(constant: int | float) -> str:
    if isinstance(constant, float):
        single = struct.unpack("f", struct.pack("f", constant))[0]
        return f"float 0x{struct.unpack('>Q', struct.pack('>d', single))[0]:016X}"
    return f"i64 {int(constant)}"


def _range(program: Program) -> str:
    chunks = [s.call.chunks for s in program.native] or [0]
    table = ", ".join(f"i64 {c}" for c in chunks)
    return f"""@{program.name}_chunks = internal constant [{len(chunks)} x i64] [{table}]
define void @{program.name}_steps(ptr %ctx, i64 %first, i64 %last) {{
entry:
  br label %head
head:
  %i = phi i64 [ %first, %entry ], [ %next, %body ]
  {in_range(program)}
  br i1 %more, label %body, label %done
body:
  %slot = getelementptr i64, ptr @{program.name}_chunks, i64 %i
  %chunks = load i64, ptr %slot
  call void @{program.name}_step(ptr %ctx, i64 %i, i64 0, i64 %chunks, i64 0)
  {next_step(program)}
  br label %head
done:
  ret void
}}"""


def _samples(program: Program) -> str:
    """``NAME_samples(ctx, pool, count, last)``: all steps for ``count`` samples, with the threads of ``pool`` unless it is null.

    Every input and output pointer moves on by its bytes after a sample.
    """
    name = program.name
    ports = {"inputs": program.inputs, "outputs": program.outputs}
    moves = [advance_ir(f"{name}_{kind}", [sample_bytes(b) for b in bindings]) for kind, bindings in ports.items()]
    return (
        "\n".join(moves)
        + f"""
define void @{program.name}_samples(ptr %ctx, ptr %pool, i64 %count, i64 %last) {{
entry:
  %alone = icmp eq ptr %pool, null
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %tail ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %body, label %done
body:
  br i1 %alone, label %one, label %many
one:
  call void @{program.name}_steps(ptr %ctx, i64 0, i64 %last)
  br label %tail
many:
  call void @{program.name}_parallel(ptr %ctx, ptr %pool, i64 0, i64 %last)
  br label %tail
tail:
  %inputs = load ptr, ptr %ctx
  call void @{name}_inputs_advance(ptr %inputs)
  %outputs.at = getelementptr ptr, ptr %ctx, i64 1
  %outputs = load ptr, ptr %outputs.at
  call void @{name}_outputs_advance(ptr %outputs)
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}}"""
    )


def sample_bytes(binding: Binding) -> int:
    """Bytes of one tensor of the compiled shape; 0 when it has no static shape."""
    if binding.type is None or not binding.type.static:
        return 0
    return math.prod(binding.type.dims) * numpy_dtype(binding.type.dtype).itemsize
