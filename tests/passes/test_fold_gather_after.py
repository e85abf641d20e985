"""fold_gather_after: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_gather_after"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_groups() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", x, draft.weight(3, 1, 1, 1), group=3)
    assert any("groups" in reason for reason in reasons(closed(draft, draft.op("Gather", y, draft.ints(2, 0, 1), axis=1)), NAME))


def test_leaves_a_convolution_with_other_readers() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", x, draft.weight(3, 3, 1, 1))
    z = draft.op("Add", draft.op("Gather", y, draft.ints(2, 0, 1), axis=1), y)
    assert any("2 readers" in reason for reason in reasons(closed(draft, z), NAME))


def test_leaves_channels_taken_twice() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", x, draft.weight(3, 3, 1, 1))
    assert reasons(closed(draft, draft.op("Gather", y, draft.ints(2, 2, 1), axis=1)), NAME) == []
