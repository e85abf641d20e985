"""fuse_activation: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeopt.passes import fuse_activation
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "fuse_activation"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_product_with_other_readers() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = draft.op("Add", draft.op("Relu", c), c)
    assert any("2 readers" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_product_that_is_an_output() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = c
    draft.op("Relu", c)
    assert any("graph output" in reason for reason in reasons(closed(draft, y), NAME))


def test_takes_the_gelu_of_erf_only() -> None:
    for approximate, left in (("none", 0), ("tanh", 1)):
        draft, x = sketch()
        graph = closed(draft, draft.own("Gelu", draft.own("FusedConv", x, draft.weight(2, 3, 1, 1)), approximate=approximate))
        assert fuse_activation.PASS(graph) == 1 - left
        assert len([n for n in graph.nodes if n.op == "Gelu"]) == left


def test_leaves_computed_bounds() -> None:
    draft, x = sketch()
    c = draft.conv(x)
    y = draft.op("Clip", c, draft.op("ReduceMin", x, keepdims=0))
    assert any("run time" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_second_activation() -> None:
    draft, x = sketch()
    y = draft.op("Relu", draft.own("FusedConv", x, draft.weight(2, 3, 1, 1), activation="Tanh"))
    assert any("already has an activation" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_double_precision() -> None:
    draft, _ = sketch()
    d = draft.input((1, 3, 4, 4), "float64")
    y = draft.op("Relu", draft.own("FusedConv", d, draft.constant(np.ones((2, 3, 1, 1)), "float64")))
    assert any("float64" in reason for reason in reasons(closed(draft, y), NAME))
