"""recognize_silu: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "recognize_silu"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_gate_of_another_tensor() -> None:
    draft, x = sketch()
    y = draft.op("Mul", x, draft.op("Sigmoid", draft.op("Neg", x)))
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_a_gate_with_other_readers() -> None:
    draft, x = sketch()
    s = draft.op("Sigmoid", x)
    y = draft.op("Add", draft.op("Mul", x, s), s)
    assert reasons(closed(draft, y), NAME) == []
