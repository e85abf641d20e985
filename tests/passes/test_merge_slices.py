"""merge_slices: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "merge_slices"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_slice_with_other_readers() -> None:
    draft, x = sketch()
    s = draft.op("Slice", x, draft.ints(1), draft.ints(9), draft.ints(2))
    t = draft.op("Slice", s, draft.ints(1), draft.ints(9), draft.ints(3))
    y = draft.op("Add", draft.op("ReduceMax", t), s)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_an_axis_that_runs_backwards() -> None:
    draft, x = sketch()
    s = draft.op("Slice", x, draft.ints(-1), draft.ints(-99), draft.ints(2), draft.ints(-1))
    y = draft.op("Slice", s, draft.ints(1), draft.ints(9), draft.ints(3))
    assert any("backwards" in reason for reason in reasons(closed(draft, y), NAME))
