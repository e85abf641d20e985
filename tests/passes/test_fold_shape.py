"""fold_shape: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import TensorType
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, load_pass
from tests.passes.graphs import pattern_graph

NAME = "fold_shape"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_shape_that_is_not_known() -> None:
    draft, x = sketch()
    x.type = TensorType("float32", ("N", 3, 6, 5))
    y = draft.op("Shape", x)
    context = Context()
    assert load_pass(NAME)(closed(draft, y), context) == 0
    assert "not static" in context.declined[0][2]
