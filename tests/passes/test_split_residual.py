"""What export for other runtimes asks of a residual, and of the products it belongs to."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from edgeopt.ops.grids import grid_groups, linear_nodes
from edgeopt.passes.split_residual import PASS
from edgeopt.passes.standard_products import PASS as STANDARD
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch


def fused(kind: str) -> Graph:
    draft, x = sketch()
    weight, bias = draft.weight(3, 3, 1, 1), draft.weight(3)
    limits = {"alpha": -0.25, "beta": 0.5} if kind == "Clip" else {}
    attributes = {"activation": kind, **limits} if kind else {}
    y = draft.own("FusedConv", x, weight, bias, x, kernel_shape=(1, 1), **attributes)
    return closed(draft, draft.own("FusedConv", y, draft.weight(2, 3, 1, 1), kernel_shape=(1, 1)))


@pytest.mark.parametrize("kind", ["", "Relu", "Clip"])
def test_the_sum_and_its_activation_become_nodes(kind: str) -> None:
    graph = fused(kind)
    feeds = {graph.inputs[0].name: np.random.default_rng(0).standard_normal((1, 3, 6, 5)).astype(np.float32)}
    before = next(iter(interpret(graph, feeds).values()))
    assert PASS(graph) == 1 and STANDARD(graph) == 2
    assert [n.op for n in graph.nodes] == ["Conv", "Add", *([kind] if kind else []), "Conv"]
    np.testing.assert_allclose(next(iter(interpret(graph, feeds).values())), before, rtol=1e-6, atol=1e-6)


def test_an_activation_that_a_sum_does_not_take_stays() -> None:
    graph, context = fused("HardSwish"), Context()
    assert PASS(graph, context) == 0
    assert "HardSwish" in context.declined[0][2]


def test_a_sum_and_its_relu_are_rounded_once() -> None:
    graph = fused("Relu")
    PASS(graph)
    ops = {v.producer.op if v.producer else "" for group in grid_groups(graph, linear_nodes(graph)) for v in group}
    assert ops == {"", "FusedConv", "Relu"}
