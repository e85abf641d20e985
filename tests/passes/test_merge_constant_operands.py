"""merge_constant_operands: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "merge_constant_operands"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_first_result_with_other_readers() -> None:
    draft, x = sketch()
    m = draft.op("Mul", x, draft.constant(2.0))
    y = draft.op("Add", draft.op("Mul", m, draft.constant(3.0)), m)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_integers() -> None:
    draft, _ = sketch()
    i = draft.op("Add", draft.input((4,), "int32"), draft.constant(1, "int32"))
    y = draft.op("Add", i, draft.constant(2, "int32"))
    assert any("not float32" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_what_overflows() -> None:
    draft, x = sketch()
    y = draft.op("Mul", draft.op("Mul", x, draft.constant(1e30)), draft.constant(1e30))
    assert any("not finite" in reason for reason in reasons(closed(draft, y), NAME))
