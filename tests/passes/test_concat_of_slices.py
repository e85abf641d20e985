"""concat_of_slices: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeopt.ir import Graph, Value
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft

NAME = "concat_of_slices"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def cut(draft: Draft, x: Value, start: int, end: int, axis: int = 2) -> Value:
    return draft.op("Slice", x, draft.ints(start), draft.ints(end), draft.ints(axis))


def joined(*bounds: tuple[int, int], axis: int = 2) -> Graph:
    """Slices of the axis of six, joined along ``axis``."""
    draft, x = sketch()
    return closed(draft, draft.op("Concat", *(cut(draft, x, *b) for b in bounds), axis=axis))


def test_three_slices_are_one() -> None:
    graph = joined((0, 2), (2, 3), (3, 6))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert len([n for n in graph.nodes if n.op == "Concat"][0].inputs) == 1


@pytest.mark.parametrize("bounds", [[(3, 6), (0, 3)], [(0, 3), (4, 6)], [(0, 3), (2, 6)], [(0, 3), (3, 5)]], ids=str)
def test_leaves_what_is_not_the_whole_in_order(bounds: list[tuple[int, int]]) -> None:
    assert not reasons(joined(*bounds), NAME)


def test_leaves_another_axis() -> None:
    assert not reasons(joined((0, 3), (3, 6), axis=1), NAME)
