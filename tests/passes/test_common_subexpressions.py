"""common_subexpressions: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "common_subexpressions"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_other_attributes() -> None:
    draft, x = sketch()
    y = draft.op("Add", draft.op("Softmax", x, axis=1), draft.op("Softmax", x, axis=2))
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_other_constants() -> None:
    draft, x = sketch()
    y = draft.op("Add", draft.op("Mul", x, draft.constant(2.0)), draft.op("Mul", x, draft.constant(3.0)))
    assert reasons(closed(draft, y), NAME) == []
