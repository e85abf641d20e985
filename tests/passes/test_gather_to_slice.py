"""gather_to_slice: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "gather_to_slice"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_list_of_indices() -> None:
    draft, x = sketch()
    y = draft.op("Gather", x, draft.ints(0, 2), axis=1)
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_an_irregular_part() -> None:
    draft, x = sketch()
    r = draft.op("Reshape", draft.op("Transpose", x, perm=(0, 2, 3, 1)), draft.ints(2, 1, 3, 3, 5))
    y = draft.op("Gather", r, draft.constant(1, "int64"), axis=0)
    assert any("no regular part" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_part_that_runs_over_the_end_of_a_row() -> None:
    draft, _ = sketch()
    rows = draft.op("Reshape", draft.input((1, 4, 2, 2)), draft.ints(2, 1, 2, 1, 4))
    y = draft.op("Gather", rows, draft.constant(0, "int64"), axis=0)
    assert any("no regular part" in reason for reason in reasons(closed(draft, y), NAME))
