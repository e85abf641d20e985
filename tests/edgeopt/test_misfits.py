"""Nodes whose operands do not fit are refused, or give the numbers of onnxruntime or of onnx's reference, in guarded memory.

As many cases from EDGEOPT_FUZZ_SEED on as EDGEOPT_FUZZ_CASES says; ``python -m benchmarks.fuzz`` goes on for hours.
"""

from __future__ import annotations

import os
from collections import Counter

from benchmarks.fuzzing.batch import outcomes
from benchmarks.fuzzing.misfits import drawn
from benchmarks.fuzzing.seeds import OPERATORS, SKIPPED, seeds

SEED = int(os.environ.get("EDGEOPT_FUZZ_SEED", "0"))
CASES = int(os.environ.get("EDGEOPT_FUZZ_CASES", "70"))


def test_misfits_are_refused_or_right() -> None:
    drawn(SEED)  # what all cases share is made before children are
    found = list(outcomes(range(SEED, SEED + CASES), drawn))
    assert [o for o in found if o.wrong] == []
    counts = Counter(o.verdict for o in found)
    assert min(counts["refused"], counts["right"]) > CASES // 8, f"the changes are too mild or too heavy: {counts}"


def test_every_operator_of_the_kernel_table_has_a_node_to_start_from() -> None:
    assert set(OPERATORS) - set(seeds()) - SKIPPED == set()
