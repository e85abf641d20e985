"""recognize_rms_norm: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import Graph
from tests.passes.building import closed, mean, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "recognize_rms_norm"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def written(axis: int, power: float = 2.0, other: bool = False) -> Graph:
    draft, x = sketch()
    square = draft.op("Pow", x, draft.constant(power))
    root = draft.op("Sqrt", draft.op("Add", mean(draft, square, axis), draft.constant(1e-5)))
    y = draft.op("Div", x, root)
    return closed(draft, y, *([root] if other else []))


def test_leaves_the_channel_axis() -> None:
    assert any("last axes" in reason for reason in reasons(written(1), NAME))


def test_leaves_another_power() -> None:
    assert not reasons(written(-1, 4.0), NAME)


def test_leaves_a_root_with_other_readers() -> None:
    assert not reasons(written(-1, other=True), NAME)
