"""recognize_hard_sigmoid: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "recognize_hard_sigmoid"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_other_bounds() -> None:
    draft, x = sketch()
    c = draft.op("Clip", draft.op("Add", x, draft.constant(3.0)), draft.constant(0.0), draft.constant(5.0))
    y = draft.op("Div", c, draft.constant(6.0))
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_an_inner_result_that_is_read() -> None:
    draft, x = sketch()
    a = draft.op("Add", x, draft.constant(3.0))
    c = draft.op("Clip", a, draft.constant(0.0), draft.constant(6.0))
    y = draft.op("Add", draft.op("Div", c, draft.constant(6.0)), a)
    assert any("other readers" in reason for reason in reasons(closed(draft, y), NAME))
