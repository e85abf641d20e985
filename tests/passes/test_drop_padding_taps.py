"""drop_padding_taps: the golden text, what it must leave alone, and a dilated head on a map smaller than its windows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeopt.ir import Graph
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "drop_padding_taps"


def _graph(
    kernel: tuple[int, int], dilations: tuple[int, int], pads: tuple[int, ...], strides: tuple[int, int] = (1, 1)
) -> Graph:
    draft, x = sketch()
    given = {"kernel_shape": kernel, "dilations": dilations, "pads": pads, "strides": strides}
    return closed(draft, draft.own("FusedConv", x, draft.weight(4, 3, *kernel), draft.weight(4), **given))


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


@pytest.mark.parametrize(
    ("case", "kept"),
    [
        (((3, 3), (6, 5), (6, 5, 6, 5)), (1, 1)),
        (((3, 3), (9, 4), (9, 4, 9, 4)), (1, 3)),
        (((5, 3), (4, 7), (8, 7, 8, 7), (2, 3)), (3, 1)),
        (((3, 1), (1, 1), (0, 0, 8, 0)), (3, 1)),
        (((4, 1), (7, 1), (14, 0, 7, 0)), (1, 1)),
    ],
)
def test_what_is_left_gives_the_same_numbers(case: tuple[tuple[int, int], ...], kept: tuple[int, int]) -> None:
    graph = _graph(*case)
    fired = keeps_numbers(graph, load_pass(NAME))
    assert (fired, graph.nodes[0].integers("kernel_shape")) == (int(kept != case[0]), kept)


def test_leaves_what_would_take_a_crop() -> None:
    assert any("do not reach" in reason for reason in reasons(_graph((2, 1), (8, 1), (7, 0, 0, 0)), NAME))


def test_leaves_a_window_that_meets_nothing() -> None:
    assert load_pass(NAME)(_graph((1, 1), (1, 1), (7, 0, 0, 0), (20, 1)), Context()) == 0
