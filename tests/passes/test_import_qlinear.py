"""import_qlinear: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "import_qlinear"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_computed_weight() -> None:
    draft, x = sketch()
    grid = draft.constant(0.02), draft.constant(100, "uint8")
    codes = draft.op("QuantizeLinear", x, *grid)
    weight = draft.op("QuantizeLinear", draft.op("Slice", x, draft.ints(0, 0), draft.ints(1, 1), draft.ints(2, 3)), *grid)
    y = draft.op("QLinearConv", codes, *grid, weight, *grid, *grid)
    assert any("computed at run time" in reason for reason in reasons(closed(draft, y), NAME))
