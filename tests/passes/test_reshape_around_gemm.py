"""reshape_around_gemm: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "reshape_around_gemm"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_other_leading_axes() -> None:
    draft, x = sketch()
    g = draft.own("FusedGemm", draft.op("Reshape", x, draft.ints(18, 5)), draft.weight(5, 2))
    y = draft.op("Reshape", g, draft.ints(6, 3, 2))
    assert any("do not come back" in reason for reason in reasons(closed(draft, y), NAME))
