"""explicit_padding: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "explicit_padding"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_strides_that_skip_the_border() -> None:
    draft, x = sketch()
    y = draft.op("Conv", x, draft.weight(1, 3, 1, 1), strides=(4, 4), auto_pad="SAME_UPPER")
    assert any("skips pixels" in reason for reason in reasons(closed(draft, y), NAME))
