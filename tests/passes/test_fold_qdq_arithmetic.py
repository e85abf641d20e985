"""fold_qdq_arithmetic: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_qdq_arithmetic"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_float_side() -> None:
    draft, x = sketch()
    y = rounded(draft, draft.op("Add", rounded(draft, x), x))
    assert any("one of its inputs is float" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_result_that_is_read_as_float() -> None:
    draft, x = sketch()
    y = draft.op("Add", rounded(draft, x), rounded(draft, x, 0.03))
    assert any("read as float" in reason for reason in reasons(closed(draft, y), NAME))


def test_a_product_of_two_rounded_matrices() -> None:
    draft, x = sketch()
    y = draft.op("MatMul", rounded(draft, x), rounded(draft, draft.op("Transpose", x, perm=(0, 1, 3, 2)), 0.03, 128))
    graph = closed(draft, rounded(draft, y, 0.1))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert [node.op for node in graph.nodes if node.domain] == ["QuantMatMul"]
