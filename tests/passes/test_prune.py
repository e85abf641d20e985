"""prune: the layers that were solved get their weights and biases, once; others stay."""

from __future__ import annotations

import numpy as np

from edgeopt.interpret import interpret
from edgeopt.passes.prune import make
from edgeopt.rewrite import Context, run_pass
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def test_solved_layers_get_their_weights() -> None:
    draft = Draft(Seeded(1), 21)
    x = draft.input((2, 6))
    first = draft.own("FusedGemm", x, draft.weight(6, 5), draft.weight(5))
    graph = closed(draft, draft.own("FusedGemm", first, draft.weight(5, 3)))
    a, b = graph.nodes
    weight, bias = np.diag(np.ones(6, np.float32))[:, :5], np.full(5, 2, np.float32)
    other = b.constant(1)
    assert other is not None
    assert run_pass(graph, make({a.name: (weight, bias)}), Context()) == 1
    assert b.constant(1) is other
    x_data = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    made = interpret(graph, {graph.inputs[0].name: x_data})[graph.outputs[0].name]
    np.testing.assert_allclose(made, (x_data[:, :5] + 2) @ other, rtol=1e-5)


def test_a_bias_that_was_not_solved_stays() -> None:
    draft = Draft(Seeded(1), 21)
    graph = closed(draft, draft.own("FusedGemm", draft.input((2, 6)), draft.weight(6, 5), draft.weight(5)))
    (node,) = graph.nodes
    bias = node.constant(2)
    assert run_pass(graph, make({node.name: (np.zeros((6, 5), np.float32), None)}), Context()) == 1
    assert node.constant(2) is bias and not np.any(node.constant(1))
