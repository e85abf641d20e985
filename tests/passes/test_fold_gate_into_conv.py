"""fold_gate_into_conv: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeopt.ir import Value
from tests.passes.building import closed, shape, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft

NAME = "fold_gate_into_conv"


def gated(draft: Draft, x: Value) -> Value:
    """The map times a gate of its own."""
    return draft.op("Mul", x, draft.op("Sigmoid", draft.op("GlobalAveragePool", x)))


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_map_with_other_readers() -> None:
    draft, x = sketch()
    y = gated(draft, x)
    made = draft.own("FusedConv", y, draft.weight(3, shape(x)[1], 1, 1))
    assert any("2 readers" in reason for reason in reasons(closed(draft, made, draft.op("Neg", y)), NAME))


def test_leaves_a_residual() -> None:
    draft, x = sketch()
    made = draft.own("FusedConv", x, draft.weight(3, 3, 1, 1), None, gated(draft, x))
    assert any("no convolution" in reason for reason in reasons(closed(draft, made), NAME))


def test_leaves_more_weights_than_numbers_in_the_map() -> None:
    draft, x = sketch()
    made = draft.own("FusedConv", gated(draft, x), draft.weight(30, 3, 1, 1))  # the map has 6 x 5
    assert any("more weights" in reason for reason in reasons(closed(draft, made), NAME))


def test_leaves_several_images() -> None:
    draft, _ = sketch()
    x = draft.input((2, 3, 6, 5))
    made = draft.own("FusedConv", gated(draft, x), draft.weight(3, 3, 1, 1))
    assert any("several images" in reason for reason in reasons(closed(draft, made), NAME))


@pytest.mark.parametrize("window", [(3, 3), (1, 3)])
def test_leaves_windows(window: tuple[int, int]) -> None:
    draft, x = sketch()
    made = draft.own("FusedConv", gated(draft, x), draft.weight(3, 3, *window))
    assert any("not 1x1" in reason for reason in reasons(closed(draft, made), NAME))


def test_leaves_computed_weights_and_groups() -> None:
    draft, x = sketch()
    computed = draft.own("FusedConv", gated(draft, x), draft.input((3, 3, 1, 1)))
    grouped = draft.own("FusedConv", gated(draft, x), draft.weight(3, 1, 1, 1), group=3)
    for y in (computed, grouped):
        assert any("is computed, it has groups" in reason for reason in reasons(closed(draft, y), NAME))
