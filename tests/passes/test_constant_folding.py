"""constant_folding: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "constant_folding"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_result_that_grows() -> None:
    draft, x = sketch()
    y = draft.op("Add", x, draft.op("Expand", draft.weight(5), draft.ints(60000, 1, 1, 1)))
    y = draft.op("ReduceMax", y)
    assert any("bytes larger" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_quantised_weight() -> None:
    draft, x = sketch()
    w = draft.op("DequantizeLinear", draft.constant(np.ones((5,)), "int8"), draft.constant(0.1))
    y = draft.op("Add", x, w)
    assert any("small form" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_the_carrier_of_an_output_name() -> None:
    draft, _ = sketch()
    y = draft.op("Identity", draft.weight(3))
    assert any("name of a graph output" in reason for reason in reasons(closed(draft, y), NAME))


def test_numbers_of_a_normalisation_become_floats() -> None:
    draft, x = sketch(17)
    scale, shift = (draft.op("DequantizeLinear", draft.constant(np.ones(5), "int8"), draft.constant(0.1)) for _ in range(2))
    graph = closed(draft, draft.op("LayerNormalization", x, scale, shift))
    assert keeps_numbers(graph, load_pass(NAME)) == 2
    assert [node.op for node in graph.nodes] == ["LayerNormalization"]
