"""division_to_product: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "division_to_product"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_other_divisors() -> None:
    draft, x = sketch()
    y = draft.op("Div", x, draft.constant(3.0))
    assert any("not a power of two" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_integers() -> None:
    draft, _ = sketch()
    y = draft.op("Div", draft.input((4,), "int32"), draft.constant(2, "int32"))
    assert any("floating-point" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_zero() -> None:
    draft, x = sketch()
    y = draft.op("Add", x, draft.op("Div", draft.op("Abs", x), draft.constant(0.0)))
    assert any("not a power of two" in reason for reason in reasons(closed(draft, y), NAME))
