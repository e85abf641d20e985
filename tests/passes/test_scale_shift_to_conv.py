"""scale_shift_to_conv: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "scale_shift_to_conv"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_factor_along_a_row() -> None:
    draft, x = sketch()
    y = draft.op("Add", draft.op("Mul", x, draft.weight(5)), draft.weight(3, 1, 1))
    assert any("other than the channels" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_product_with_other_readers() -> None:
    draft, x = sketch()
    scaled = draft.op("Mul", x, draft.constant(2.0))
    y = draft.op("Add", draft.op("Add", scaled, draft.constant(1.0)), scaled)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_matrix() -> None:
    draft, _ = sketch()
    y = draft.op("Add", draft.op("Mul", draft.input((4, 3)), draft.weight(3)), draft.weight(3))
    assert any("not a float32 map" in reason for reason in reasons(closed(draft, y), NAME))
