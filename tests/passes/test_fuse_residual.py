"""fuse_residual: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, shape, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fuse_residual"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_sum_that_broadcasts() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = draft.op("Add", c, draft.input(tuple(shape(c)[-1:])))
    assert any("differ in shape" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_product_with_other_readers() -> None:
    draft, x = sketch()
    c = draft.own("FusedConv", x, draft.weight(3, 3, 1, 1))
    y = draft.op("Mul", draft.op("Add", c, x), c)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))
