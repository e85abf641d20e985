"""recognize_hard_swish: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "recognize_hard_swish"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_another_slope() -> None:
    draft, x = sketch()
    y = draft.op("Mul", x, draft.op("HardSigmoid", x, alpha=0.2, beta=0.5))
    assert any("another slope" in reason for reason in reasons(closed(draft, y), NAME))
