"""fold_gather_before: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_gather_before"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_groups() -> None:
    draft, x = sketch()
    shuffled = draft.op("Gather", x, draft.ints(2, 0, 1), axis=1)
    y = draft.own("FusedConv", shuffled, draft.weight(3, 1, 1, 1), group=3)
    assert any("groups" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_rows_in_another_order() -> None:
    draft, x = sketch()
    shuffled = draft.op("Gather", x, draft.ints(2, 0, 1), axis=2)
    y = draft.own("FusedConv", shuffled, draft.weight(3, 3, 1, 1))
    assert reasons(closed(draft, y), NAME) == []
