"""fold_pad_into_conv: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "fold_pad_into_conv"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_padded_channels() -> None:
    draft, x = sketch()
    y = draft.conv(draft.op("Pad", x, draft.ints(0, 1, 0, 0, 0, 0, 0, 0)))
    assert any("spatial axes with zeros" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_another_value() -> None:
    draft, x = sketch()
    y = draft.conv(draft.op("Pad", x, draft.ints(0, 0, 1, 0, 0, 0, 0, 0), draft.constant(1.0)))
    assert any("spatial axes with zeros" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_reflection() -> None:
    draft, x = sketch()
    y = draft.conv(draft.op("Pad", x, draft.ints(0, 0, 1, 0, 0, 0, 0, 0), mode="reflect"))
    assert any("spatial axes with zeros" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_cropping() -> None:
    draft, x = sketch()
    y = draft.conv(draft.op("Pad", x, draft.ints(0, 0, -1, 0, 0, 0, 0, 0)))
    context = Context()
    assert load_pass(NAME)(closed(draft, y), context) == 0
    assert "spatial axes with zeros" in context.declined[0][2]
