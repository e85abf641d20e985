"""fold_weight_dequantization: the golden text, what it must leave alone, and that the result runs elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeopt.frontend import export
from edgeopt.interpret import interpret
from edgeopt.ir import Value
from tests.edgeopt.runtime_oracle import run
from tests.passes.building import closed, rounded, sketch
from tests.passes.checks import before_and_after, feeds, load_pass, reasons, same_numbers
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft

NAME = "fold_weight_dequantization"


def weight(draft: Draft, value: int = 3, **grid: object) -> Value:
    codes = draft.constant(np.full((3, 3, 1, 1), value), "int8")
    return draft.op("DequantizeLinear", codes, draft.weight(3, low=0.1), axis=grid.get("axis", 0))


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


@pytest.mark.parametrize("seed", range(6))
def test_the_result_runs_in_onnxruntime(seed: int) -> None:
    graph = pattern_graph(NAME, seed)
    load_pass(NAME)(graph)
    data = feeds(graph)
    same_numbers(interpret(graph, data), run(export(graph), data))


def test_leaves_an_input_that_is_quantised_too() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", rounded(draft, x), weight(draft))
    assert reasons(closed(draft, y), NAME) == ["its input is quantised too"]


def test_leaves_scales_along_the_input_channels() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", x, weight(draft, axis=1))
    assert any("along the output channels" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_codes_that_need_nine_bits() -> None:
    draft, x = sketch()
    codes, zero = draft.constant(np.full((3, 3, 1, 1), -128), "int8"), draft.constant(127, "int8")
    y = draft.own("FusedConv", x, draft.op("DequantizeLinear", codes, draft.constant(0.1), zero))
    assert any("do not fit 8 bits" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_stack_of_matrices() -> None:
    draft, x = sketch()
    codes = draft.constant(np.ones((3, 5, 2)), "int8")
    y = draft.own("FusedGemm", x, draft.op("DequantizeLinear", codes, draft.constant(0.1)))
    assert reasons(closed(draft, y), NAME) == ["it is no product with one matrix"]


def test_leaves_a_product_whose_bias_is_computed() -> None:
    draft, x = sketch()
    codes, bias = draft.constant(np.ones((5, 5)), "int8"), draft.op("Relu", draft.input((5,)))
    y = draft.own("FusedGemm", x, draft.op("DequantizeLinear", codes, draft.constant(0.1)), bias)
    assert reasons(closed(draft, y), NAME) == ["its bias is computed at run time"]
