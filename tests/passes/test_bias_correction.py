"""bias_correction: the mean output of a rounded layer is that of the float layer."""

from __future__ import annotations

import numpy as np

from edgeopt.interpret import interpret
from edgeopt.passes.bias_correction import make, rectified_mean
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.strategies import Draft, Seeded


def test_the_mean_error_vanishes() -> None:
    draft = Draft(Seeded(0))
    x = draft.input((200, 3, 4, 4))
    exact = draft.weight(5, 3, 3, 3)
    graph = closed(draft, draft.own("FusedConv", x, exact, draft.weight(5)))
    data = np.random.default_rng(0).normal(1.5, 1.0, (200, 3, 4, 4)).astype(np.float32)
    expected = interpret(graph, {x.name: data})[graph.outputs[0].name].mean(axis=(0, 2, 3))
    node = graph.nodes[0]
    node.set_input(1, graph.constant("rounded", np.round(exact.array * 2) / np.float32(2)))
    off = interpret(graph, {x.name: data})[graph.outputs[0].name].mean(axis=(0, 2, 3)) - expected
    assert make({node.name: exact.array}, {node.name: np.full(3, 1.5)})(graph) == 1
    left = interpret(graph, {x.name: data})[graph.outputs[0].name].mean(axis=(0, 2, 3)) - expected
    assert np.abs(left).max() < 0.1 * np.abs(off).max()


def test_leaves_a_layer_of_unknown_inputs() -> None:
    draft, x = sketch()
    graph, context = closed(draft, draft.conv(x)), Context()
    assert make({}, {})(graph, context) == 0
    assert any("not known" in reason for _, _, reason in context.declined)


def test_mean_of_a_rectified_normal() -> None:
    sample = np.random.default_rng(0).normal([-0.3, 0.0, 2.0], [0.5, 1.0, 3.0], (400_000, 3))
    np.testing.assert_allclose(
        rectified_mean(np.array([-0.3, 0.0, 2.0]), np.array([0.5, 1.0, 3.0])), np.maximum(sample, 0).mean(axis=0), rtol=0.02
    )
