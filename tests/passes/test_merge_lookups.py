"""merge_lookups: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "merge_lookups"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_a_gate_of_its_own_argument_is_one_table() -> None:
    """Silu with rounding after each step, as quantisers write it."""
    draft, x = sketch()
    x = rounded(draft, x)
    graph = closed(draft, rounded(draft, draft.op("Mul", x, rounded(draft, draft.op("Sigmoid", x), 1 / 256, 0)), 0.03, 9))
    for name in ("fold_qdq_lookup", "fold_qdq_arithmetic", NAME, "dead_code"):
        load_pass(name)(graph)
    assert [node.op for node in graph.nodes] == ["QuantizeLinear", "QuantLookup", "DequantizeLinear"]


def test_leaves_a_map_that_is_broadcast() -> None:
    draft, x = sketch()
    codes = draft.op("QuantizeLinear", x, draft.constant(0.02), draft.constant(3, "uint8"))
    grid = draft.constant(0.02), draft.constant(3, "uint8")
    other = draft.constant(np.ones((1, 3, 1, 1)), "uint8")
    y = draft.own("QuantMul", codes, *grid, other, *grid, *grid)
    assert any("no single number" in reason for reason in reasons(closed(draft, y), NAME))
