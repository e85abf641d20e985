"""pool_to_global: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "pool_to_global"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_padding() -> None:
    draft, x = sketch()
    y = draft.op("AveragePool", x, kernel_shape=(6, 5), pads=(1, 1, 1, 1))
    assert any("pads" in reason for reason in reasons(closed(draft, y), NAME))
