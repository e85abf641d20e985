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


def test_leaves_a_sequence_lifted_to_a_map() -> None:
    """Pools of sequences are lifted again, and the passes would never come to rest."""
    draft, x = sketch()
    sequence = draft.op("Reshape", x, draft.ints(1, 3, 30))
    y = draft.op("GlobalAveragePool", draft.op("Reshape", sequence, draft.ints(1, 3, 1, 30)))
    graph = closed(draft, y)
    assert any("sequence" in reason for reason in reasons(graph, NAME))
