"""fold_scale_before: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_scale_before"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_tensor_with_other_readers() -> None:
    draft, x = sketch()
    s = draft.op("Mul", x, draft.constant(2.0))
    y = draft.op("Add", draft.own("FusedConv", s, draft.weight(3, 3, 1, 1)), s)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_factor_along_a_row() -> None:
    draft, x = sketch()
    y = draft.conv(draft.op("Mul", x, draft.weight(5)))
    assert any("other than the channels" in reason for reason in reasons(closed(draft, y), NAME))
