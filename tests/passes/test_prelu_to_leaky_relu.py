"""prelu_to_leaky_relu: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "prelu_to_leaky_relu"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_slopes_that_differ() -> None:
    draft, x = sketch()
    slopes = draft.constant(np.array([0.1, 0.1, 0.2], np.float32).reshape(3, 1, 1))
    assert any("differ" in reason for reason in reasons(closed(draft, draft.op("PRelu", x, slopes)), NAME))


def test_leaves_a_computed_slope() -> None:
    draft, x = sketch()
    assert not reasons(closed(draft, draft.op("PRelu", x, draft.input((1,)))), NAME)


def test_leaves_slopes_that_are_not_numbers() -> None:
    draft, x = sketch()
    slopes = draft.constant(np.full((3, 1, 1), np.nan, np.float32))
    assert reasons(closed(draft, draft.op("PRelu", x, slopes)), NAME)
