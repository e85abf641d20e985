"""fold_pad_into_pool: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_pad_into_pool"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_zeros_before_a_maximum_of_negatives() -> None:
    draft, x = sketch()
    p = draft.op("Pad", x, draft.ints(0, 0, 1, 0, 0, 0, 0, 0), draft.constant(0.0))
    y = draft.op("MaxPool", p, kernel_shape=(2, 2))
    assert any("would change the result" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_window_of_padding() -> None:
    draft, x = sketch()
    p = draft.op("Pad", draft.op("Relu", x), draft.ints(0, 0, 2, 0, 0, 0, 0, 0), draft.constant(0.0))
    y = draft.op("MaxPool", p, kernel_shape=(2, 2))
    assert any("padding only" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_pads_that_are_not_counted() -> None:
    draft, x = sketch()
    p = draft.op("Pad", x, draft.ints(0, 0, 1, 0, 0, 0, 0, 0), draft.constant(0.0))
    y = draft.op("AveragePool", p, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    assert any("would change the result" in reason for reason in reasons(closed(draft, y), NAME))
