"""move_rounding: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass
from tests.passes.graphs import pattern_graph

NAME = "move_rounding"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_parts_are_taken_of_codes() -> None:
    draft, x = sketch()
    parts = [draft.op("Slice", rounded(draft, x), draft.ints(i), draft.ints(i + 1), draft.ints(1)) for i in range(2)]
    graph = closed(draft, *(draft.op("Tanh", part) for part in parts))
    assert keeps_numbers(graph, load_pass(NAME)) == 2
    assert [n.op for n in graph.nodes if n.op in ("Slice", "DequantizeLinear")].count("Slice") == 2
    assert all(
        v is not None and v.producer is not None and v.producer.is_op("DequantizeLinear")
        for v in (n.input(0) for n in graph.nodes if n.op == "Tanh")
    )


def test_leaves_numbers_that_others_read() -> None:
    draft, x = sketch()
    y = draft.op("Transpose", draft.op("Tanh", x), perm=(0, 2, 3, 1))
    assert load_pass(NAME)(closed(draft, rounded(draft, y), draft.op("Neg", y))) == 0


def test_codes_are_resized_where_each_is_one_of_the_input() -> None:
    for mode, count in (("nearest", 1), ("linear", 0)):
        draft, x = sketch()
        scales = draft.constant(np.array([1, 1, 2, 2], np.float32))
        y = draft.op("Resize", rounded(draft, x), draft.constant(np.zeros(0)), scales, mode=mode)
        assert keeps_numbers(closed(draft, draft.op("Tanh", y)), load_pass(NAME)) == count
