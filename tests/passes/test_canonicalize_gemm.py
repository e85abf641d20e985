"""canonicalize_gemm: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "canonicalize_gemm"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_transposed_first_matrix() -> None:
    draft, _ = sketch()
    a = draft.input((4, 2))
    y = draft.op("Gemm", a, draft.weight(4, 3), transA=1)
    assert any("transposed" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_computed_second_matrix() -> None:
    draft, _ = sketch()
    y = draft.op("Gemm", draft.input((2, 4)), draft.input((4, 3)))
    assert any("computed" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_column() -> None:
    draft, _ = sketch()
    y = draft.op("Gemm", draft.input((2, 4)), draft.weight(4, 3), draft.weight(2, 1))
    assert any("neither a constant row" in reason for reason in reasons(closed(draft, y), NAME))
