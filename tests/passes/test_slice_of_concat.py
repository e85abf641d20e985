"""slice_of_concat: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "slice_of_concat"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_slice_across_pieces() -> None:
    draft, x = sketch()
    y = draft.op("Slice", draft.op("Concat", x, x, axis=2), draft.ints(3), draft.ints(8), draft.ints(2))
    assert any("spans several pieces" in reason for reason in reasons(closed(draft, y), NAME))
