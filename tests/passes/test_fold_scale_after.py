"""fold_scale_after: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, shape, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_scale_after"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_product_with_other_readers() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = draft.op("Add", draft.op("Mul", c, draft.constant(2.0)), c)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_factor_along_a_row() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = draft.op("Mul", c, draft.weight(shape(c)[3]))
    assert any("other than the channels" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_an_activation() -> None:
    draft, x = sketch()
    c = draft.own("FusedConv", x, draft.weight(2, 3, 1, 1), activation="Relu")
    y = draft.op("Mul", c, draft.constant(2.0))
    assert any("activation" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_division_by_zero() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = draft.op("Div", c, draft.constant(0.0))
    assert any("not finite" in reason for reason in reasons(closed(draft, y), NAME))
