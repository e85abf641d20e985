"""recognize_mish: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "recognize_mish"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_another_tensor() -> None:
    draft, x = sketch()
    y = draft.op("Mul", x, draft.op("Tanh", draft.op("Softplus", draft.op("Neg", x))))
    assert any("another tensor" in reason for reason in reasons(closed(draft, y), NAME))
