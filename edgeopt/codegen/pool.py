"""LLVM IR of the thread pool: pieces of a step are claimed with compare-and-swap by whoever is free, from both of its ends.

The pool is four cache lines: ticket, pieces done, exit flag, context pointer. A ticket is the step (32 bits), the pieces taken
from its back by workers and those taken from its front by the calling thread (16 bits each): so a thread comes back in the next
step to the part of a map that it wrote in the last, which lies in its own cache. A claim is a share of what is left, so that a
step takes few claims however many chunks it has, and the last ones are small. Because the ticket names its step, a claim that
succeeds is a claim on the step that is running; a worker that comes late finds no piece left. The calling thread takes part, so
a busy second core costs one claim at most. A worker that finds nothing for SPINS rounds returns to its caller and is woken
again by the next run.

Functions of fixed name have a dot in it, which no name of a model can have.
"""

from __future__ import annotations

from edgeopt.codegen.flow import in_range, next_step
from edgeopt.lower.program import Program
from edgeopt.target import Target

SPINS = 60_000
MOST_PIECES = 4096  # of a step: a ticket counts 16 bits of them from each end
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
    share = (2 * max(1, target.cores) - 1).bit_length()
    claims = [_pieces(program), _claim(name, share), _share(name, pause)]
    return "\n".join([f"declare {declared}", *claims, _parallel(program), _worker(name, pause)])


def _pieces(program: Program) -> str:
    """How many pieces each step has: its chunks, or where they are very many that many equal parts of them."""
    pieces = [min(step.call.chunks, MOST_PIECES) for step in program.native] or [0]
    table = ", ".join(f"i64 {count}" for count in pieces)
    return f"@{program.name}_pieces = internal constant [{len(pieces)} x i64] [{table}]"


def _claim(name: str, share: int) -> str:
    """Run pieces of whatever step the ticket names until none is left; returns how many. A claim is 2^-share of the rest."""
    return f"""define internal i64 @edgeopt.claim(ptr %pool, i64 %thread) {{
entry:
  %slot = getelementptr i8, ptr %pool, i64 64
  %where = getelementptr i8, ptr %pool, i64 192
  %caller = icmp eq i64 %thread, 0
  br label %look
look:
  %count = phi i64 [ 0, %entry ], [ %count, %claim ], [ %more, %work ]
  %ticket = load atomic i64, ptr %pool acquire, align 64
  %step = lshr i64 %ticket, 32
  %behind = lshr i64 %ticket, 16
  %back = and i64 %behind, 65535
  %front = and i64 %ticket, 65535
  %entry.pieces = getelementptr i64, ptr @{name}_pieces, i64 %step
  %pieces = load i64, ptr %entry.pieces
  %until = sub i64 %pieces, %back
  %left = sub i64 %until, %front
  %any = icmp sgt i64 %left, 0
  br i1 %any, label %claim, label %over
claim:
  %part = lshr i64 %left, {share}
  %none = icmp eq i64 %part, 0
  %take = select i1 %none, i64 1, i64 %part
  %take.back = shl i64 %take, 16
  %added = select i1 %caller, i64 %take, i64 %take.back
  %next = add i64 %ticket, %added
  %pair = cmpxchg ptr %pool, i64 %ticket, i64 %next acq_rel acquire, align 64
  %won = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %won, label %work, label %look
work:
  %lower = sub i64 %until, %take
  %first = select i1 %caller, i64 %front, i64 %lower
  %last = add i64 %first, %take
  %entry.chunks = getelementptr i64, ptr @{name}_chunks, i64 %step
  %chunks = load i64, ptr %entry.chunks
  %begins = mul i64 %first, %chunks
  %ends = mul i64 %last, %chunks
  %begin = udiv i64 %begins, %pieces
  %end = udiv i64 %ends, %pieces
  %ctx = load ptr, ptr %where
  call void @{name}_step(ptr %ctx, i64 %step, i64 %begin, i64 %end, i64 %thread)
  %more = add i64 %count, %take
  br label %look
over:
  %idle = icmp eq i64 %count, 0
  br i1 %idle, label %done, label %tell
tell:
  %before = atomicrmw add ptr %slot, i64 %count release, align 64
  br label %done
done:
  ret i64 %count
}}"""


def _share(name: str, pause: str) -> str:
    """Let every thread take part in a step, and return when its last piece is done."""
    return f"""define internal void @edgeopt.share(ptr %pool, i64 %step) {{
entry:
  %slot = getelementptr i8, ptr %pool, i64 64
  %entry.pieces = getelementptr i64, ptr @{name}_pieces, i64 %step
  %pieces = load i64, ptr %entry.pieces
  store atomic i64 0, ptr %slot monotonic, align 64
  %ticket = shl i64 %step, 32
  store atomic i64 %ticket, ptr %pool release, align 64
  %ran = call i64 @edgeopt.claim(ptr %pool, i64 0)
  br label %wait
wait:
  %done = load atomic i64, ptr %slot acquire, align 64
  %all = icmp sge i64 %done, %pieces
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
  call void @edgeopt.share(ptr %pool, i64 %i)
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
