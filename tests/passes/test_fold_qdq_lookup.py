"""fold_qdq_lookup: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_qdq_lookup"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_result_that_is_read_as_float() -> None:
    draft, x = sketch()
    y = draft.op("Sigmoid", rounded(draft, x))
    assert any("read as float" in reason for reason in reasons(closed(draft, y), NAME))


def test_makes_one_table_of_a_change_of_grid() -> None:
    draft, x = sketch()
    graph = closed(draft, rounded(draft, rounded(draft, x), 0.05, 3))
    load_pass(NAME)(graph)
    assert [node.op for node in graph.nodes if node.output.uses] == ["QuantizeLinear", "QuantLookup"]


def test_makes_one_table_of_a_chain_of_functions() -> None:
    draft, x = sketch()
    graph = closed(draft, rounded(draft, draft.op("Relu", draft.op("Tanh", draft.op("Neg", rounded(draft, x)))), 0.05, 3))
    load_pass(NAME)(graph)
    assert [node.op for node in graph.nodes if node.output.uses] == ["QuantizeLinear", "QuantLookup"]
