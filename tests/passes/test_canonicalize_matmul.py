"""canonicalize_matmul: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "canonicalize_matmul"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_two_computed_sides() -> None:
    draft, x = sketch()
    y = draft.op("MatMul", x, draft.input((5, 2)))
    assert any("not a constant matrix" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_integers() -> None:
    draft, _ = sketch()
    y = draft.op("MatMul", draft.input((2, 3), "int32"), draft.constant(np.ones((3, 2)), "int32"))
    assert any("not floating-point" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_vector() -> None:
    draft, _ = sketch()
    y = draft.op("MatMul", draft.input((3,)), draft.weight(3, 2))
    assert any("vector" in reason for reason in reasons(closed(draft, y), NAME))
