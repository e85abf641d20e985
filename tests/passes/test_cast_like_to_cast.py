"""cast_like_to_cast: the golden text, the bias that exporters write, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.pipeline import optimize
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "cast_like_to_cast"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_a_bias_that_is_expanded_from_a_number_becomes_a_constant() -> None:
    draft, x = sketch(18)
    weight = draft.weight(4, 3, 3, 3)
    size = draft.op("Expand", draft.op("Shape", weight, start=0, end=1), draft.ints(1))
    bias = draft.op("Expand", draft.op("CastLike", draft.constant(0.5), x), size)
    graph = closed(draft, draft.op("Conv", x, weight, bias))
    optimize(graph)
    assert [node.op for node in graph.nodes] == ["FusedConv"]
    assert graph.nodes[0].constant(2) is not None


def test_leaves_a_type_that_is_not_known() -> None:
    draft, x = sketch(18)
    like = draft.op("Neg", x)
    graph = closed(draft, draft.op("CastLike", x, like))
    like.type = None
    assert any("is not known" in reason for reason in reasons(graph, NAME))
