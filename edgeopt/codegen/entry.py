"""LLVM IR of the public C entry points: ``NAME_run``, ``NAME_init`` and the size constants.

They keep no state and allocate nothing. ``NAME_run`` refuses arenas and weights that are not aligned instead of assuming it.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.codegen.context import context_ir
from edgeopt.codegen.initial import ERRORS, init_ir, weights_bytes
from edgeopt.codegen.stream_entry import stream_ir
from edgeopt.lower.layout import layout, layout_digest
from edgeopt.lower.memory import ALIGNMENT
from edgeopt.lower.program import Binding, Program
from edgeopt.target import Target


def arena_bytes(program: Program) -> int:
    """Bytes a caller provides: the planned arena and the scratch of one thread behind it."""
    return program.arena_bytes + program.scratch_bytes


def entry_ir(program: Program, target: Target, library: bool) -> str:
    """The public functions of ``program``, and for a library the decoder and the size constants."""
    size = f"i{8 * target.pointer_bytes}"
    if not library:
        room = f"@{program.name}_room = global i64 1"  # data that are written: see ``edgeopt.codegen.native``
        return "\n".join([_layout(program), room, _run(program, size)])
    constants = [
        f"@{program.name}_arena_bytes = constant {size} {arena_bytes(program)}",
        f"@{program.name}_weights_bytes = constant {size} {weights_bytes(program)}",
    ]
    run = _run(program, size) if program.stream is None else stream_ir(program, program.stream, size)
    return "\n".join([*constants, run, init_ir(program, size)])


def _layout(program: Program) -> str:
    digest = layout_digest(layout(program))
    text = "".join(f"\\{byte:02X}" for byte in digest)
    return f'@{program.name}_layout = constant [{len(digest)} x i8] c"{text}"'


def _needed(ports: Sequence[Binding]) -> str:
    """Whether the pointers of inputs, or outputs, are read: not where all of them lie in the arena."""
    return "false" if ports and all(port.offset is not None for port in ports) else "true"


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
  %in.needed = and i1 %in.null, {_needed(program.inputs)}
  %out.needed = and i1 %out.null, {_needed(program.outputs)}
  %any.0 = or i1 %in.needed, %out.needed
  %any.1 = or i1 %any.0, %arena.null
  %w.null = icmp eq ptr %weights, null
  %w.needed = and i1 %w.null, {"true" if program.weights_bytes else "false"}
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
{context_ir(program, "%inputs", "%outputs")}
  call void @{name}_steps(ptr %ctx, i64 0, i64 {len(program.native)})
  ret i32 0
}}"""
