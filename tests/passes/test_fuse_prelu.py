"""fuse_prelu: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeopt.ir import Value
from tests.passes.building import closed, shape, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft

NAME = "fuse_prelu"


def conv(draft: Draft, x: Value, **attributes: Any) -> Value:
    """A convolution with three outputs."""
    return draft.own("FusedConv", x, draft.weight(3, shape(x)[1], 1, 1), **attributes)


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_convolution_with_other_readers() -> None:
    draft, x = sketch()
    y = conv(draft, x)
    made = draft.op("Mul", draft.op("PRelu", y, draft.weight(3, 1, 1)), y)
    assert any("2 readers" in reason for reason in reasons(closed(draft, made), NAME))


def test_leaves_a_convolution_with_an_activation() -> None:
    draft, x = sketch()
    made = draft.op("PRelu", conv(draft, x, activation="Tanh"), draft.weight(3, 1, 1))
    assert any("already has an activation" in reason for reason in reasons(closed(draft, made), NAME))


@pytest.mark.parametrize("channels", [(), (3, 1)])
def test_leaves_slopes_along_another_axis(channels: tuple[int, ...]) -> None:
    draft, x = sketch()
    y = conv(draft, x)
    made = draft.op("PRelu", y, draft.weight(*channels, shape(y)[3]))
    assert any("one for each channel" in reason for reason in reasons(closed(draft, made), NAME))


def test_leaves_computed_slopes_and_weights() -> None:
    draft, x = sketch()
    computed = draft.own("FusedConv", x, draft.input((3, shape(x)[1], 1, 1)))
    for y, slopes in ((conv(draft, x), draft.input((3, 1, 1))), (computed, draft.weight(3, 1, 1))):
        graph = closed(draft, draft.op("PRelu", y, slopes))
        assert any("are computed" in reason for reason in reasons(graph, NAME))


@pytest.mark.parametrize("dims", [(1, 2, 7), (1, 2, 3, 4, 5)])
def test_leaves_maps_that_are_not_planes(dims: tuple[int, ...]) -> None:
    draft, _ = sketch()
    y = draft.own("FusedConv", draft.input(dims), draft.weight(3, 2, *[1] * (len(dims) - 2)))
    made = draft.op("PRelu", y, draft.constant(np.full((3, *[1] * (len(dims) - 2)), 0.5)))
    assert any("not two-dimensional" in reason for reason in reasons(closed(draft, made), NAME))
