"""eliminate_identity: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "eliminate_identity"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_the_carrier_of_an_output_name() -> None:
    draft, x = sketch()
    y = draft.op("Identity", x)
    assert any("name of a graph output" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_read_mask() -> None:
    draft, x = sketch()
    y = draft.op("Dropout", x, outputs=2)
    y = draft.op("Cast", draft.made[-1], to=1)
    assert any("mask" in reason for reason in reasons(closed(draft, y), NAME))
