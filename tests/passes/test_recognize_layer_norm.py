"""recognize_layer_norm: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, mean, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "recognize_layer_norm"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_the_channel_axis() -> None:
    draft, x = sketch()
    c = draft.op("Sub", x, mean(draft, x, 1))
    v = mean(draft, draft.op("Mul", c, c), 1)
    y = draft.op("Div", c, draft.op("Sqrt", draft.op("Add", v, draft.constant(1e-5))))
    assert any("same last axes" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_centred_tensor_with_other_readers() -> None:
    draft, x = sketch()
    c = draft.op("Sub", x, mean(draft, x, -1))
    v = mean(draft, draft.op("Mul", c, c), -1)
    d = draft.op("Div", c, draft.op("Sqrt", draft.op("Add", v, draft.constant(1e-5))))
    y = draft.op("Add", d, c)
    assert any("other readers" in reason for reason in reasons(closed(draft, y), NAME))
