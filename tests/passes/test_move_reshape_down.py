"""move_reshape_down: the golden text, a tensor beside it, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, keeps_numbers, load_pass, reasons
from tests.passes.graphs import pattern_graph

NAME = "move_reshape_down"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_the_other_operand_gets_the_axis_too() -> None:
    draft = sketch()[0]
    row = draft.op("Reshape", draft.input((2, 3, 1, 7)), draft.ints(2, 3, 7))
    graph = closed(draft, draft.op("Mul", draft.input((2, 3, 1)), row))
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert graph.nodes[-1].op == "Reshape"


def test_leaves_other_reshapes() -> None:
    draft = sketch()[0]
    row = draft.op("Reshape", draft.input((2, 3, 1, 7)), draft.ints(2, 21))
    other = draft.op("Reshape", draft.input((2, 3, 2, 7)), draft.ints(2, 3, 14))
    graph = closed(draft, draft.op("Relu", row), draft.op("Relu", other))
    assert reasons(graph, NAME) == []


def test_leaves_parameters_of_many_elements() -> None:
    draft = sketch(13)[0]
    row = draft.op("Reshape", draft.input((2, 3, 1, 7)), draft.ints(2, 3, 7))
    graph = closed(draft, draft.op("QuantizeLinear", row, draft.weight(3, low=0.5, high=1.0), axis=1))
    assert any("more than one element" in reason for reason in reasons(graph, NAME))


def test_sums_of_codes_go_along() -> None:
    draft = sketch()[0]
    grid = draft.constant(0.02), draft.constant(3, "uint8")
    codes = draft.op("QuantizeLinear", draft.input((2, 3, 1, 7)), *grid)
    row = draft.op("Reshape", codes, draft.ints(2, 3, 7))
    y = draft.own("QuantAdd", row, *grid, draft.op("QuantizeLinear", draft.input((2, 3, 7)), *grid), *grid, *grid)
    graph = closed(draft, y)
    assert keeps_numbers(graph, load_pass(NAME)) == 1
    assert graph.nodes[-1].op == "Reshape"
