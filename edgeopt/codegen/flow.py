"""LLVM IR of control flow: which step follows a step. A program without jumps counts on."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.lower.program import Jump, Place, Program

Address = Callable[[int, Place], list[str]]


def jumps(program: Program) -> dict[int, Jump]:
    """The jumps by the native step they follow."""
    return {i: step.jump for i, step in enumerate(program.native) if step.jump is not None}


def next_step(program: Program) -> str:
    """The instruction that sets ``%next`` from ``%i`` and ``%ctx``."""
    return f"%next = call i64 @{program.name}.next(ptr %ctx, i64 %i)" if jumps(program) else "%next = add i64 %i, 1"


def in_range(program: Program) -> str:
    """The instructions that set ``%more``: whether ``%i`` is one of the steps ``%first`` to ``%last``, which a jump may leave."""
    if not jumps(program):
        return "%more = icmp slt i64 %i, %last"
    return "%low = icmp sge i64 %i, %first\n  %high = icmp slt i64 %i, %last\n  %more = and i1 %low, %high"


def next_ir(program: Program, address: Address) -> str:
    """``NAME.next(ctx, step)``, where there are jumps; ``address`` writes code that sets ``%pN`` to the address of a place."""
    found = jumps(program)
    if not found:
        return ""
    cases = "\n".join(f"    i64 {i}, label %j{i}" for i in found)
    blocks = "\n".join(_jump(i, jump, address) for i, jump in found.items())
    return f"""define internal i64 @{program.name}.next(ptr %ctx, i64 %i) {{
  %following = add i64 %i, 1
  switch i64 %i, label %on [
{cases}
  ]
{blocks}
on:
  ret i64 %following
}}"""


def _jump(index: int, jump: Jump, address: Address) -> str:
    if jump.unless is None:
        return f"j{index}:\n  ret i64 {jump.to}"
    lines = [f"j{index}:", *address(index, jump.unless), f"  %v{index} = load i8, ptr %p{index}"]
    lines += [f"  %z{index} = icmp eq i8 %v{index}, 0", f"  %r{index} = select i1 %z{index}, i64 {jump.to}, i64 %following"]
    return "\n".join([*lines, f"  ret i64 %r{index}"])
