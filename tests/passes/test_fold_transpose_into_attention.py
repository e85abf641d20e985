"""fold_transpose_into_attention: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import OWN_DOMAIN, Graph
from tests.passes.building import closed
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft, Seeded

NAME = "fold_transpose_into_attention"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def turned(index: int, perm: tuple[int, int, int]) -> Graph:
    """Attention of [2, 4, 4], one of its operands (or its result: 3) turned."""
    draft = Draft(Seeded(0), 17)
    inputs = [draft.input((2, 4, 4)) for _ in range(3)]
    if index < 3:
        inputs[index] = draft.op("Transpose", draft.op("Relu", inputs[index]), perm=perm)
    made = draft.graph.make("FusedAttention", inputs, [inputs[0].type], None, OWN_DOMAIN, "attention").output
    return closed(draft, draft.op("Transpose", made, perm=perm) if index == 3 else made)


def test_leaves_rows_that_would_come_apart() -> None:
    for index in (0, 2, 3):
        assert any("would not lie together" in reason for reason in reasons(turned(index, (0, 2, 1)), NAME))
