"""dead_code: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "dead_code"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_what_is_read() -> None:
    draft, x = sketch()
    y = draft.op("Neg", draft.op("Relu", x))
    assert reasons(closed(draft, y), NAME) == []
