"""move_activation_up: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "move_activation_up"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_rearranged_tensor_with_other_readers() -> None:
    draft, x = sketch()
    r = draft.op("Transpose", draft.conv(x), perm=(0, 2, 3, 1))
    y = draft.op("Add", draft.op("Relu", r), r)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_product_with_other_readers() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = draft.op("Relu", draft.op("Transpose", c, perm=(0, 2, 3, 1)))
    assert any(f"'{c.name}' has 2 readers" in reason for reason in reasons(closed(draft, y, draft.op("Neg", c)), NAME))
