"""Grids of a plan that is combined from others stand in the order of the graph, whatever the seed of hashes of strings."""

from __future__ import annotations

import numpy as np
from onnx import helper

from edgeopt.forms.quantize.combine import combined
from edgeopt.frontend import load
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import QuantizationPlan, QuantizedWeight, grid_groups, quantizable_nodes
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from tests.edgeopt.small_models import info, model, weight

POOLS = 7  # values that share a grid: by chance one of 40,320 orders is right


def test_values_that_share_a_grid_stand_in_the_order_of_the_graph() -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["p0"], "conv")]
    for i in range(POOLS):
        nodes.append(helper.make_node("MaxPool", [f"p{i}"], [f"p{i + 1}"], f"pool{i}", kernel_shape=[2, 2]))
    nodes.append(helper.make_node("Conv", [f"p{POOLS}", "v"], ["y"], "last"))
    constants = [weight("w", 4, 3, 1, 1), weight("v", 4, 4, 1, 1)]
    graph = load(model(nodes, [info("x", [1, 3, 16, 16])], [info("y", [1, 4, 9, 9])], constants))
    optimize(graph, 1, Context(level=1))
    layers = quantizable_nodes(graph)
    grid = Quantizer("int8", np.ones((), np.float32), np.zeros((), np.int32), low=-127, high=127)
    values = [v.name for group in grid_groups(graph, layers) for v in group]
    weights = {n.name: QuantizedWeight(np.zeros((4, 4, 1, 1), np.int8), grid) for n in layers}
    plan = combined(graph, {"w8a8": QuantizationPlan(weights, dict.fromkeys(values, grid))}, {n.name: "w8a8" for n in layers})
    assert list(plan.activations) == values and len(values) > POOLS
