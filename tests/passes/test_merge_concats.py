"""merge_concats: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "merge_concats"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_another_axis() -> None:
    draft, x = sketch()
    y = draft.op("Concat", draft.op("Concat", x, x, axis=1), draft.op("Concat", x, x, axis=1), axis=2)
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_an_inner_one_with_other_readers() -> None:
    draft, x = sketch()
    c = draft.op("Concat", x, x, axis=1)
    y = draft.op("Add", draft.op("ReduceMax", draft.op("Concat", c, x, axis=1)), c)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))
