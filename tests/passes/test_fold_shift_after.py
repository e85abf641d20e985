"""fold_shift_after: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_shift_after"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_residual() -> None:
    draft, x = sketch()
    c = draft.own("FusedConv", x, draft.weight(3, 3, 1, 1), None, x)
    y = draft.op("Add", c, draft.constant(2.0))
    assert any("residual" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_sum_that_broadcasts() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = draft.op("Add", c, draft.weight(2, 1, 1, 1))
    assert any("other than the channels" in reason for reason in reasons(closed(draft, y), NAME))
