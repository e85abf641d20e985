"""LLVM IR of the thread pool: chunks of a step are claimed one by one with compare-and-swap, by whoever is free.

The pool is four cache lines: ticket (step << 32 | next chunk), chunks done, exit flag, context pointer. Because the ticket
names its step, a claim that succeeds is a claim on the step that is running; a worker that comes late finds no chunk left. The
calling thread takes part, so a busy second core costs one chunk at most. A worker that finds nothing for SPINS rounds returns
to its caller and is woken again by the next run.

Functions of fixed name have a dot in it, which no name of a model can have.
"""

from __future__ import annotations

from edgeopt.codegen.flow import in_range, next_step
from edgeopt.lower.program import Program
from edgeopt.target import Target

SPINS = 60_000
POOL_BYTES = 256
_PAUSE = {
    "x86_64": ("void @llvm.x86.sse2.pause()", "void @llvm.x86.sse2.pause()"),
    "aarch64": ("void @llvm.aarch64.hint(i32)", "void @llvm.aarch64.hint(i32 1)"),
    "arm": ("void @llvm.arm.hint(i32)", "void @llvm.arm.hint(i32 1)"),
}


def pool_ir(program: Program, target: Target) -> str:
    """``NAME_parallel(ctx, pool, first, last)`` for the caller and ``NAME_worker(pool, thread)`` for the others."""
    architecture = target.triple.split("-")[0]
    name = program.name
    declared, pause = _PAUSE["arm" if architecture.startswith("armv") else architecture]
    return "\n".join([f"declare {declared}", _claim(name), _finish(pause), _parallel(program), _worker(name, pause)])


def _claim(name: str) -> str:
    """Run chunks of whatever step the ticket names until none is left; returns how many it ran."""
    return f"""define internal i64 @edgeopt.claim(ptr %pool, i64 %thread) {{
entry:
  %slot = getelementptr i8, ptr %pool, i64 64
  %where = getelementptr i8, ptr %pool, i64 192
  br label %look
look:
  %count = phi i64 [ 0, %entry ], [ %count, %claim ], [ %more, %work ]
  %ticket = load atomic i64, ptr %pool acquire, align 64
  %step = lshr i64 %ticket, 32
  %chunk = and i64 %ticket, 4294967295
  %entry.chunks = getelementptr i64, ptr @{name}_chunks, i64 %step
  %chunks = load i64, ptr %entry.chunks
  %left = icmp slt i64 %chunk, %chunks
  br i1 %left, label %claim, label %done
claim:
  %next = add i64 %ticket, 1
  %pair = cmpxchg ptr %pool, i64 %ticket, i64 %next acq_rel acquire, align 64
  %won = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %won, label %work, label %look
work:
  %ctx = load ptr, ptr %where
  %end = add i64 %chunk, 1
  call void @{name}_step(ptr %ctx, i64 %step, i64 %chunk, i64 %end, i64 %thread)
  %before = atomicrmw add ptr %slot, i64 1 release, align 64
  %more = add i64 %count, 1
  br label %look
done:
  ret i64 %count
}}"""


def _finish(pause: str) -> str:
    return f"""define internal void @edgeopt.share(ptr %ctx, ptr %pool, i64 %step, i64 %chunks) {{
entry:
  %slot = getelementptr i8, ptr %pool, i64 64
  store atomic i64 0, ptr %slot monotonic, align 64
  %ticket = shl i64 %step, 32
  store atomic i64 %ticket, ptr %pool release, align 64
  %ran = call i64 @edgeopt.claim(ptr %pool, i64 0)
  br label %wait
wait:
  %done = load atomic i64, ptr %slot acquire, align 64
  %all = icmp sge i64 %done, %chunks
  br i1 %all, label %over, label %spin
spin:
  call {pause}
  br label %wait
over:
  ret void
}}"""


def _parallel(program: Program) -> str:
    name = program.name
    return f"""define void @{name}_parallel(ptr %ctx, ptr %pool, i64 %first, i64 %last) {{
entry:
  %where = getelementptr i8, ptr %pool, i64 192
  store ptr %ctx, ptr %where
  br label %head
head:
  %i = phi i64 [ %first, %entry ], [ %next, %tail ]
  {in_range(program)}
  br i1 %more, label %body, label %done
body:
  %slot = getelementptr i64, ptr @{name}_chunks, i64 %i
  %chunks = load i64, ptr %slot
  %single = icmp sle i64 %chunks, 1
  br i1 %single, label %alone, label %shared
alone:
  call void @{name}_step(ptr %ctx, i64 %i, i64 0, i64 %chunks, i64 0)
  br label %tail
shared:
  call void @edgeopt.share(ptr %ctx, ptr %pool, i64 %i, i64 %chunks)
  br label %tail
tail:
  {next_step(program)}
  br label %head
done:
  ret void
}}"""


def _worker(name: str, pause: str) -> str:
    return f"""define void @{name}_worker(ptr %pool, i64 %thread) {{
entry:
  %flag = getelementptr i8, ptr %pool, i64 128
  br label %head
head:
  %idle = phi i64 [ 0, %entry ], [ %after, %round ]
  %stop = load atomic i64, ptr %flag acquire, align 64
  %leave = icmp ne i64 %stop, 0
  %tired = icmp sgt i64 %idle, {SPINS}
  %out = or i1 %leave, %tired
  br i1 %out, label %done, label %round
round:
  call {pause}
  %ran = call i64 @edgeopt.claim(ptr %pool, i64 %thread)
  %worked = icmp ne i64 %ran, 0
  %more = add i64 %idle, 1
  %after = select i1 %worked, i64 0, i64 %more
  br label %head
done:
  ret void
}}"""
