"""eliminate_noop: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "eliminate_noop"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_broadcasting() -> None:
    draft, _ = sketch()
    y = draft.op("Add", draft.input((1,)), draft.constant(np.zeros((4, 1))))
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_a_subtraction_from_zero() -> None:
    draft, x = sketch()
    y = draft.op("Sub", draft.constant(0.0), x)
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_a_slice_backwards() -> None:
    draft, x = sketch()
    y = draft.op("Slice", x, draft.ints(-1), draft.ints(-(2**40)), draft.ints(3), draft.ints(-1))
    assert reasons(closed(draft, y), NAME) == []
