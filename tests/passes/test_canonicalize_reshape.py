"""canonicalize_reshape: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import TensorType
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "canonicalize_reshape"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_its_own_form() -> None:
    draft, x = sketch()
    y = draft.op("Reshape", x, draft.ints(1, 18, 5))
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_an_unknown_shape() -> None:
    draft, x = sketch()
    y = draft.op("Reshape", x, draft.ints(1, -1, 5))
    y.type = TensorType("float32", (1, None, 5))
    assert any("unknown" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_an_empty_axis() -> None:
    draft, _ = sketch(opset=17)
    y = draft.op("Reshape", draft.input((0, 3, 2)), draft.ints(0, 6), allowzero=1)
    assert any("empty axis" in reason for reason in reasons(closed(draft, y), NAME))
