"""move_transposes: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "move_transposes"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_what_saves_nothing() -> None:
    draft, x = sketch()
    y = draft.op("Relu", draft.op("Transpose", x, perm=(0, 2, 3, 1)))
    assert any("saves no element" in reason for reason in reasons(closed(draft, y), NAME))


def test_the_sizes_of_a_split_stay_what_they_are() -> None:
    draft, x = sketch()
    y = draft.op("Transpose", x, perm=(0, 2, 3, 1))
    node = draft.op("Split", y, draft.ints(1, 2), outputs=2, axis=3).producer
    assert node is not None
    graph = closed(draft, *(draft.op("Transpose", part, perm=(0, 3, 1, 2)) for part in node.outputs))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert [node.op for node in graph.nodes] == ["Split"]


def test_leaves_a_broadcast_of_lower_rank() -> None:
    draft, x = sketch()
    t = draft.op("Add", draft.op("Transpose", x, perm=(0, 2, 3, 1)), draft.input((3,)))
    y = draft.op("Transpose", t, perm=(0, 3, 1, 2))
    assert reasons(closed(draft, y), NAME) == []
