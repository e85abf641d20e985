"""absorb_high_bias: the range shrinks and numbers stay where activations stay above; what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from edgeopt.passes.absorb_high_bias import make
from edgeopt.rewrite import Context
from tests.passes.building import closed, sketch
from tests.passes.checks import feeds, same_numbers


def _graph(pad: int = 0, activation: str = "Relu") -> Graph:
    draft, x = sketch()
    w = draft.weight(4, 3, 1, 1, low=-0.1, high=0.1)
    y = draft.own("FusedConv", x, w, draft.constant(np.array([9.0, 0.0, 8.0, -1.0])), activation=activation)
    return closed(draft, draft.own("FusedConv", y, draft.weight(2, 4, 3, 3), draft.weight(2), pads=(pad,) * 4))


def test_high_channels_move_on_and_numbers_stay() -> None:
    graph = _graph()
    first, data = graph.nodes[0], feeds(_graph())
    data = {graph.inputs[0].name: next(iter(data.values()))}
    before = interpret(graph, data)
    known = {first.name: (np.array([9.0, 0.0, 8.0, -1.0]), np.full(4, 0.3))}
    assert make(known)(graph) == 1
    same_numbers(before, interpret(graph, data))
    bias = first.constant(2)
    assert bias is not None
    np.testing.assert_allclose(bias, [0.9, 0.0, 0.9, -1.0], atol=1e-6)


@pytest.mark.parametrize(
    ("graph", "mean", "reason"),
    [(_graph(pad=1), 9.0, "padded"), (_graph(activation="Sigmoid"), 9.0, "not Relu"), (_graph(), 0.1, "no channel")],
)
def test_leaves(graph: Graph, mean: float, reason: str) -> None:
    context = Context()
    assert make({graph.nodes[0].name: (np.full(4, mean), np.ones(4))})(graph, context) == 0
    assert any(reason in text for _, _, text in context.declined)
