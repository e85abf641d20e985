"""merge_casts: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "merge_casts"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_cast_that_rounds() -> None:
    draft, x = sketch()
    y = draft.op("Cast", draft.op("Cast", x, to=6), to=1)
    assert any("loses values" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_long_integers_through_double_precision() -> None:
    draft, _ = sketch()
    y = draft.op("Cast", draft.op("Cast", draft.input((4,), "int64"), to=11), to=7)
    assert any("loses values" in reason for reason in reasons(closed(draft, y), NAME))
