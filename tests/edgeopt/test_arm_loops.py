"""Loops that are held against llvm-mca are those of the assembly, and no more."""

from __future__ import annotations

from benchmarks.arm_loops import inner_loops

NESTED = """
.LBB0_1:
\tmov\tx1, x2
.LBB0_2:
\tfmla\tv0.4s, v1.4s, v2.s[0]
\tb.ne\t.LBB0_2
\tfadd\tv0.4s, v0.4s, v3.4s
\tb.ne\t.LBB0_1
.LBB0_3:                                // a loop of its own
\t.p2align 4
\tfmul\tv0.4s, v0.4s, v3.4s // scaled
\tcbnz\tx3, .LBB0_3
\tret
"""


def test_a_loop_ends_with_its_branch() -> None:
    found = [[line.split()[0] for line in body] for body in inner_loops(NESTED)]
    assert found == [["fmla", "b.ne"], ["fmul", "cbnz"]]
