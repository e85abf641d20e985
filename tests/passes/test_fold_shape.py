"""fold_shape: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import TensorType
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass
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


def test_takes_part_of_a_shape() -> None:
    draft, x = sketch(opset=17)
    graph = closed(draft, draft.op("Shape", x, start=1, end=-1))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert [c.array.tolist() for c in graph.constants] == [[3, 6]]
