"""reduce_mean_to_global_pool: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, mean, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "reduce_mean_to_global_pool"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_other_axes() -> None:
    draft, x = sketch()
    y = mean(draft, x, 1, 2)
    assert reasons(closed(draft, y), NAME) == []
