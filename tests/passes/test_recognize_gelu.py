"""recognize_gelu: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "recognize_gelu"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_another_slope() -> None:
    draft, x = sketch()
    g = draft.op("Add", draft.op("Erf", draft.op("Mul", x, draft.constant(0.5))), draft.constant(1.0))
    y = draft.op("Mul", draft.op("Mul", x, g), draft.constant(0.5))
    assert any("not x / sqrt(2)" in reason for reason in reasons(closed(draft, y), NAME))
