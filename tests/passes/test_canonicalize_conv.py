"""canonicalize_conv: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "canonicalize_conv"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_computed_weight() -> None:
    draft, x = sketch()
    w = draft.input((2, 3, 1, 1))
    y = draft.op("Conv", x, w)
    assert any("computed at run time" in reason for reason in reasons(closed(draft, y), NAME))
