"""reshape_before_global_pool: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "reshape_before_global_pool"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_moved_channels() -> None:
    draft, x = sketch()
    y = draft.op("GlobalAveragePool", draft.op("Reshape", x, draft.ints(1, 6, 3, 5)))
    assert any("changes batch or channels" in reason for reason in reasons(closed(draft, y), NAME))
