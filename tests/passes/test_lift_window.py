"""lift_window: the golden text, every operator it takes, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgeopt.ir import Value
from edgeopt.ir.match import shape_of
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft

NAME = "lift_window"
POOL: dict[str, Any] = {"kernel_shape": (3,), "strides": (2,), "pads": (1, 0)}
BUILD: dict[str, Callable[[Draft, Value], Value]] = {
    "residual": lambda d, x: d.own("FusedConv", x, d.weight(4, 4, 5), None, d.op("Neg", x), pads=(4, 0), activation="Relu"),
    "depthwise": lambda d, x: d.own("FusedConv", x, d.weight(4, 1, 3), group=4, dilations=(2,), pads=(2, 2)),
    "transposed": lambda d, x: d.op("ConvTranspose", x, d.weight(4, 2, 4), strides=(3,), pads=(1, 2), output_padding=(1,)),
    "MaxPool": lambda d, x: d.op("MaxPool", x, **POOL),
    "AveragePool": lambda d, x: d.op("AveragePool", x, **POOL),
    "GlobalAveragePool": lambda d, x: d.op("GlobalAveragePool", x),
}


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


@pytest.mark.parametrize("kind", BUILD)
def test_a_sequence_becomes_a_row(kind: str) -> None:
    draft = sketch()[0]
    graph = closed(draft, BUILD[kind](draft, draft.input((2, 4, 11))))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    windows = [n for n in graph.nodes if n.op not in ("Reshape", "Neg")]
    assert [len(shape_of(n.input(0)) or ()) for n in windows] == [4]


def test_a_network_of_sequences_is_reshaped_once_at_each_end() -> None:
    draft = sketch()[0]
    x = draft.input((1, 8, 20))
    y = draft.op("PRelu", draft.op("Conv", x, draft.weight(8, 8, 3), pads=(2, 0)), draft.weight(8, 1))
    y = draft.op("Relu", draft.op("Add", draft.op("Conv", y, draft.weight(8, 8, 3), pads=(4, 0), dilations=(2,)), x))
    graph = closed(draft, draft.op("Conv", y, draft.weight(3, 8, 1)))
    keeps_numbers(graph, lambda g, c: optimize(g, context=c).count if isinstance(c, Context) else 0)
    assert [n.op for n in graph.nodes] == ["Reshape", "FusedConv", "PRelu", "FusedConv", "FusedConv", "Reshape"]


def test_leaves_a_map_that_is_wide() -> None:
    draft, x = sketch()
    assert reasons(closed(draft, draft.own("FusedConv", x, draft.weight(4, 3, 3, 1))), NAME) == []


def test_leaves_pads_across_the_axis() -> None:
    draft = sketch()[0]
    x = draft.input((1, 3, 8, 1))
    y = draft.own("FusedConv", x, draft.weight(4, 3, 3, 1), pads=(0, 1, 0, 0), strides=(1, 2))
    assert reasons(closed(draft, y), NAME) == []


def test_leaves_a_computed_weight() -> None:
    draft = sketch()[0]
    y = draft.op("ConvTranspose", draft.input((1, 4, 9)), draft.input((4, 2, 3)))
    assert any("computed" in reason for reason in reasons(closed(draft, y), NAME))
