"""split_to_slice: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "split_to_slice"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_several_parts() -> None:
    draft, x = sketch()
    draft.op("Split", x, draft.ints(1, 2), outputs=2, axis=1)
    y = draft.op("Concat", draft.made[-1], draft.made[-2], axis=1)
    assert reasons(closed(draft, y), NAME) == []
