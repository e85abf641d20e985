"""fold_dynamic_quantization: the golden text, matrices, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeopt.ir import Graph, Value
from tests.passes.building import closed
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft, Seeded

NAME = "fold_dynamic_quantization"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def product(scale: Value | None = None, offset: tuple[int, ...] = (4,), twice: bool = False) -> Graph:
    """Rows [2, 3] times a matrix [3, 4] in the integer form."""
    draft = Draft(Seeded(0), 17)
    x = draft.input((2, 3))
    draft.op("DynamicQuantizeLinear", x, outputs=3)
    codes, x_scale, x_zero = draft.made
    weight = draft.constant(np.arange(-6, 6).reshape(3, 4), "int8")
    sums = draft.op("MatMulInteger", codes, weight, x_zero)
    factor = draft.op("Mul", x_scale, draft.weight(4, low=0.1) if scale is None else scale)
    y = draft.op("Add", draft.op("Mul", draft.op("Cast", sums, to=1), factor), draft.weight(*offset))
    return closed(draft, y, sums) if twice else closed(draft, y)


def test_a_matrix_takes_its_bias_in() -> None:
    graph = product()
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert graph.nodes[-1].op == "DynamicGemm" and graph.nodes[-1].constant(6) is not None


def test_an_offset_of_each_element_stays_an_addition() -> None:
    graph = product(offset=(2, 4))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert [n.op for n in graph.nodes[-2:]] == ["DynamicGemm", "Add"]


def test_leaves_sums_that_others_read() -> None:
    assert any("graph output" in reason for reason in reasons(product(twice=True), NAME))


def test_leaves_scales_of_each_element() -> None:
    draft = Draft(Seeded(0), 17)
    assert any("along the output channels" in reason for reason in reasons(product(draft.weight(2, 4, low=0.1)), NAME))
