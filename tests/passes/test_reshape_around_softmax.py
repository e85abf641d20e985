"""reshape_around_softmax: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "reshape_around_softmax"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_another_axis() -> None:
    draft, x = sketch()
    s = draft.op("Softmax", draft.op("Reshape", x, draft.ints(18, 5)), axis=0)
    y = draft.op("Reshape", s, draft.ints(1, 3, 6, 5))
    assert any("another axis" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_another_shape() -> None:
    draft, x = sketch()
    s = draft.op("Softmax", draft.op("Reshape", x, draft.ints(18, 5)), axis=1)
    y = draft.op("Reshape", s, draft.ints(3, 6, 5))
    assert any("does not come back" in reason for reason in reasons(closed(draft, y), NAME))
