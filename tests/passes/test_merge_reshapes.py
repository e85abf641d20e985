"""merge_reshapes: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "merge_reshapes"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_copied_axis() -> None:
    draft, x = sketch()
    y = draft.op("Reshape", draft.op("Reshape", x, draft.ints(3, 6, 5)), draft.ints(0, 30))
    assert any("copies an axis" in reason for reason in reasons(closed(draft, y), NAME))
