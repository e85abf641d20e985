"""share_weights: weights, codes of a grid and halves are replaced where they are stored."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Graph, Node
from edgeopt.ops.grids import QuantizationPlan, round_weight
from edgeopt.passes import quantize, quantize_dynamic
from edgeopt.passes.share_weights import Shared, make
from edgeopt.rewrite import Context, run_pass
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def product() -> tuple[Graph, Node]:
    draft = Draft(Seeded(1), 21)
    graph = closed(draft, draft.own("FusedGemm", draft.input((2, 6)), draft.weight(6, 5), draft.weight(5)))
    return graph, graph.nodes[0]


def test_a_float_weight_and_its_bias() -> None:
    graph, node = product()
    weight, bias = np.ones((6, 5), np.float32), np.zeros(5, np.float32)
    assert run_pass(graph, make({node.name: Shared(weight, bias)}), Context()) == 1
    np.testing.assert_array_equal(node.constant(1), weight)
    np.testing.assert_array_equal(node.constant(2), bias)


@pytest.mark.parametrize("dynamic", [False, True])
def test_codes_of_a_quantised_layer(dynamic: bool) -> None:
    graph, node = product()
    name, rounded = node.name, round_weight(node, "int8", True)
    plan = QuantizationPlan({name: rounded}, dynamic=frozenset([name] if dynamic else []))
    assert run_pass(graph, (quantize_dynamic if dynamic else quantize).make(plan), Context()) == 1
    codes = np.where(rounded.codes > 0, 9, -9)
    assert run_pass(graph, make({name: Shared(rounded.grid.dequantize(codes), None, (rounded.codes, codes))}), Context()) == 1
    stored = [a for n in graph.nodes for v in n.inputs if v is not None and v.is_constant and (a := v.array).shape == (6, 5)]
    assert len(stored) == 1 and stored[0].dtype == np.int8
    np.testing.assert_array_equal(stored[0], codes)


def test_other_codes_are_left_alone() -> None:
    graph, node = product()
    rounded = round_weight(node, "int8", True)
    run_pass(graph, quantize_dynamic.make(QuantizationPlan({node.name: rounded}, dynamic=frozenset([node.name]))), Context())
    other = rounded.codes + 1
    assert run_pass(graph, make({node.name: Shared(rounded.array, None, (other, other))}), Context()) == 0


def test_a_weight_that_is_put_on_a_grid() -> None:
    graph, node = product()
    rounded = round_weight(node, "int8", True)
    assert run_pass(graph, make({node.name: Shared(rounded.array, None, None, rounded.grid)}), Context()) == 1
    value = node.input(1)
    assert value is not None and value.producer is not None and value.producer.is_op("DequantizeLinear")
    np.testing.assert_array_equal(value.producer.constant(0), rounded.codes)
