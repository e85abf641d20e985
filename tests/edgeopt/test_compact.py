"""A quantised graph for its file: what it computes stays, constants are stored once, made-up names are short."""

from __future__ import annotations

import numpy as np

from edgeopt.frontend import export
from edgeopt.frontend.compact import compact
from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from tests.passes.building import closed, rounded, sketch


def twice_rounded() -> Graph:
    draft, x = sketch()
    y = rounded(draft, draft.op("Relu", rounded(draft, x)))
    draft.graph.nodes[-1].name, draft.graph.nodes[2].name = "a.very.long.name.of.a.layer.rounding~77", "layer"
    return closed(draft, y)


def test_equal_constants_are_stored_once() -> None:
    graph = twice_rounded()
    assert len(graph.constants) == 4
    feeds = {graph.inputs[0].name: np.random.default_rng(0).standard_normal((1, 3, 6, 5)).astype(np.float32)}
    (before,) = interpret(graph, feeds).values()
    compact(graph)
    assert len(graph.constants) == 2
    (after,) = interpret(graph, feeds).values()
    np.testing.assert_array_equal(before, after)


def test_inputs_outputs_and_layers_keep_their_names() -> None:
    graph = twice_rounded()
    ends = [v.name for v in [*graph.inputs, *graph.outputs]]
    compact(graph)
    assert [v.name for v in [*graph.inputs, *graph.outputs]] == ends
    assert [n.name for n in graph.nodes][2:] == ["layer", graph.nodes[3].name, "d~77"]


def test_names_stay_unique() -> None:
    graph = twice_rounded()
    compact(graph)
    names = [v.name for v in [*graph.inputs, *graph.constants, *(o for n in graph.nodes for o in n.outputs)]]
    assert len(set(names)) == len(names)


def test_types_of_dequantised_values_are_left_to_inference() -> None:
    model = export(twice_rounded())
    dequantised = {o for n in model.graph.node if n.op_type == "DequantizeLinear" for o in n.output}
    assert len(model.graph.value_info) > 0 and not dequantised & {v.name for v in model.graph.value_info}
