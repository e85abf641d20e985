"""move_qdq: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeopt.ir.match import dtype_of
from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "move_qdq"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_different_grids() -> None:
    draft, x = sketch()
    y = rounded(draft, draft.op("Transpose", rounded(draft, x), perm=(0, 2, 3, 1)), 0.03)
    assert any("different grids" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_padding_by_another_value() -> None:
    draft, x = sketch()
    padded = draft.op("Pad", rounded(draft, x), draft.ints(0, 0, 1, 1, 0, 0, 0, 0), draft.constant(1.0))
    assert any("another value than zero" in reason for reason in reasons(closed(draft, rounded(draft, padded)), NAME))


def test_cancels_rounding_to_the_same_grid() -> None:
    draft, x = sketch()
    graph = closed(draft, rounded(draft, rounded(draft, x)))
    load_pass(NAME)(graph)
    assert [node.op for node in graph.nodes if node.output.uses or graph.is_output(node.output)] == [
        "QuantizeLinear",
        "DequantizeLinear",
    ]


@pytest.mark.parametrize("pass_name", [NAME, "move_rounding"])
def test_leaves_moves_that_take_no_codes_of_four_bits(pass_name: str) -> None:
    """A strided Slice, as shortcuts without weights have: ONNX defines it for no integers below 8 bits."""
    draft, x = sketch(opset=21)
    picked = draft.op("Slice", rounded(draft, x, zero=3, dtype="uint4"), *(draft.ints(n) for n in (0, 4, 2, 2)))
    graph = closed(draft, rounded(draft, picked, zero=3, dtype="uint4"))
    load_pass(pass_name)(graph)
    assert all(dtype_of(node.input(0)) == "float32" for node in graph.nodes if node.is_op("Slice"))
