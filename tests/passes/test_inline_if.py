"""inline_if: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph
from tests.passes.structure_patterns import inline_if

NAME = "inline_if"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_computed_condition() -> None:
    draft, x = sketch()
    b = draft.input((), "bool")
    y = inline_if(draft, x)
    draft.graph.nodes[0].set_input(0, b)
    assert any("computed at run time" in reason for reason in reasons(closed(draft, y), NAME))
