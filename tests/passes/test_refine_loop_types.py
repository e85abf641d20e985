"""refine_loop_types: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import Graph, TensorType
from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.control_patterns import refine_loop_types
from tests.passes.graphs import pattern_graph

NAME = "refine_loop_types"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_state_that_grows() -> None:
    draft, x = sketch()
    y = refine_loop_types(draft, x)
    loop = draft.graph.nodes[-1]
    body = loop.attributes["body"]
    assert isinstance(body, Graph)
    grown = body.make("Concat", [body.outputs[1], x], [TensorType("float32")], attributes={"axis": 0})
    body.outputs[1] = grown.output
    loop.set_input(0, draft.constant(1, "int64"))
    assert y in loop.outputs
    assert any("changes the shape" in reason for reason in reasons(closed(draft, loop.outputs[0]), NAME))
