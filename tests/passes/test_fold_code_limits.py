"""fold_code_limits: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import Value
from edgeopt.ir.match import code_limits
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft

NAME = "fold_code_limits"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def _pool(draft: Draft, x: Value) -> Value:
    grid = draft.constant(0.02), draft.constant(3, "uint8")
    return draft.own("QuantGlobalAveragePool", draft.op("QuantizeLinear", x, *grid), *grid, *grid)


def _clip(draft: Draft, x: Value, low: int, high: int) -> Value:
    return draft.op("Clip", x, draft.constant(low, "uint8"), draft.constant(high, "uint8"))


def test_two_limits_are_one() -> None:
    draft, x = sketch()
    graph = closed(draft, _clip(draft, _clip(draft, _pool(draft, x), 2, 9), 4, 20))
    assert keeps_numbers(graph, load_pass(NAME)) == 2
    assert [node.op for node in graph.nodes] == ["QuantizeLinear", "QuantGlobalAveragePool"]
    assert code_limits(graph.nodes[-1]) == (4, 9)


def test_codes_that_are_moved_keep_their_limits() -> None:
    draft, x = sketch()
    codes = _clip(draft, draft.op("QuantizeLinear", x, draft.constant(0.02), draft.constant(3, "uint8")), 0, 15)
    moved = draft.op("Transpose", codes, perm=(0, 2, 3, 1))
    graph = closed(draft, _clip(draft, moved, 0, 15))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert [node.op for node in graph.nodes] == ["QuantizeLinear", "Clip", "Transpose"]


def test_leaves_codes_that_others_read() -> None:
    draft, x = sketch()
    y = _pool(draft, x)
    assert any("others read" in reason for reason in reasons(closed(draft, y, _clip(draft, y, 0, 15)), NAME))


def test_leaves_what_no_integer_operator_makes() -> None:
    draft, x = sketch()
    codes = draft.op("QuantizeLinear", x, draft.constant(0.02), draft.constant(3, "uint8"))
    assert any("no integer operator" in reason for reason in reasons(closed(draft, _clip(draft, codes, 0, 15)), NAME))
