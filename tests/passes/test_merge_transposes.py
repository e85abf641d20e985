"""merge_transposes: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "merge_transposes"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_transpose_alone() -> None:
    draft, x = sketch()
    y = draft.op("Transpose", draft.op("Relu", draft.op("Transpose", x, perm=(0, 2, 3, 1))), perm=(0, 3, 1, 2))
    assert reasons(closed(draft, y), NAME) == []
