"""fold_shift_before: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_shift_before"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_padding() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", draft.op("Add", x, draft.constant(2.0)), draft.weight(1, 3, 3, 3), pads=(1, 1, 1, 1))
    assert any("fewer taps" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_transposed_convolution() -> None:
    draft, x = sketch()
    y = draft.op("ConvTranspose", draft.op("Add", x, draft.constant(2.0)), draft.weight(3, 2, 2, 2))
    assert any("fewer taps" in reason for reason in reasons(closed(draft, y), NAME))
