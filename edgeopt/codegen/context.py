"""LLVM IR that fills what every step is called with: the addresses of inputs, outputs, arena, weights and scratch memory."""

from __future__ import annotations

from edgeopt.lower.program import Program


def context_ir(program: Program, inputs: str, outputs: str) -> str:
    """Instructions that fill ``%ctx`` from the pointers ``inputs`` and ``outputs``, ``%arena`` and ``%weights``."""
    return f"""  store ptr {inputs}, ptr %ctx
  %c1 = getelementptr ptr, ptr %ctx, i64 1
  store ptr {outputs}, ptr %c1
  %c2 = getelementptr ptr, ptr %ctx, i64 2
  store ptr %arena, ptr %c2
  %c3 = getelementptr ptr, ptr %ctx, i64 3
  store ptr %weights, ptr %c3
  %c4 = getelementptr ptr, ptr %ctx, i64 4
  %scratch = getelementptr i8, ptr %arena, i64 {program.arena_bytes}
  store ptr %scratch, ptr %c4"""
