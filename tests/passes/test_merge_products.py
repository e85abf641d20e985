"""merge_products: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import Value
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, load_pass, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft

NAME = "merge_products"


def pair(draft: Draft, x: Value, middle: int = 5, **inner: object) -> tuple[Value, Value]:
    """A 1x1 convolution to ``middle`` channels and a padded 3x3 one to four."""
    first = draft.own("FusedConv", x, draft.weight(middle, 3, 1, 1), draft.weight(middle), **inner)
    return first, draft.own("FusedConv", first, draft.weight(4, middle, 3, 3), pads=(1, 1, 1, 1))


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_border_that_has_no_bias() -> None:
    draft, x = sketch()
    assert any("border" in reason for reason in reasons(closed(draft, pair(draft, x)[1]), NAME))


def test_leaves_a_low_rank() -> None:
    draft, x = sketch()
    inner = draft.own("FusedGemm", x, draft.weight(5, 1))
    y = draft.own("FusedGemm", inner, draft.weight(1, 7))
    assert any("larger" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_what_others_read() -> None:
    draft, x = sketch()
    inner = draft.own("FusedGemm", x, draft.weight(5, 8))
    y = draft.own("FusedGemm", inner, draft.weight(8, 2))
    assert reasons(closed(draft, y, inner), NAME)


def test_leaves_what_is_not_linear_or_not_by_pixel() -> None:
    for inner in ({"activation": "Relu"}, {"strides": (2, 2)}, {"pads": (1, 1, 1, 1)}):
        draft, x = sketch()
        assert load_pass(NAME)(closed(draft, pair(draft, x, **inner)[1])) == 0
