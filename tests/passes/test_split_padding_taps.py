"""split_padding_taps: the golden text, what it must leave alone, and heads whose windows are about as wide as their maps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeopt.ir import Graph
from edgeopt.pipeline import finish
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "split_padding_taps"


def _graph(
    dilations: tuple[int, int],
    pads: tuple[int, ...],
    strides: tuple[int, int] = (1, 1),
    kernel: tuple[int, int] = (3, 3),
    group: int = 1,
    channels: int = 192,
) -> Graph:
    draft, x = sketch()
    wide = draft.own("FusedConv", x, draft.weight(channels, 3, 1, 1), kernel_shape=(1, 1))
    given = {"kernel_shape": kernel, "dilations": dilations, "pads": pads, "strides": strides, "group": group}
    weights = draft.weight(4, channels // group, *kernel), draft.weight(4)
    alone = draft.own("FusedConv", wide, *weights, **given)
    residual = draft.own("Silu", alone)
    return closed(draft, draft.own("FusedConv", wide, *weights, residual, activation="Relu", **given))


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


@pytest.mark.parametrize(
    ("case", "times"),
    [
        (((5, 4), (5, 4, 5, 4)), 8),  # both axes of two convolutions, the columns in each of three parts of the rows
        (((4, 1), (4, 1, 4, 1)), 2),
        (((4, 1), (2, 1, 2, 1), (1, 1), (2, 3)), 0),  # no tap meets all rows
        (((3, 1), (3, 1, 3, 1), (3, 1)), 2),
        (((1, 1), (4, 1, 4, 1), (2, 1), (9, 3)), 2),  # several taps meet the same rows
        (((1, 1), (1, 1, 1, 1)), 0),
        (((5, 4), (5, 4, 5, 4), (1, 1), (3, 3), 2), 0),
        (((5, 4), (5, 4, 5, 4), (1, 1), (3, 3), 1, 12), 0),
    ],
)
def test_the_parts_give_the_same_numbers(case: tuple[tuple[int, ...], ...], times: int) -> None:
    graph, fired = _graph(*case), 0  # type: ignore[arg-type]
    while found := keeps_numbers(graph, load_pass(NAME)):
        fired += found
    assert fired == times


def test_says_why_nothing_is_whole() -> None:
    assert any("no tap meets the map" in reason for reason in reasons(_graph((4, 1), (2, 1, 2, 1), (1, 1), (2, 3)), NAME))


def test_no_tap_that_is_left_meets_much_padding() -> None:
    graph = _graph((5, 4), (5, 4, 5, 4))
    finish(graph, Context(), [NAME])
    kernels = [n.integers("kernel_shape") for n in graph.nodes if n.is_own("FusedConv") and n.input(0) is not graph.inputs[0]]
    assert set(kernels) == {(1, 1)} and len(kernels) == 18
