"""group: hidden groups are found and are exact, the rest is made up for by least squares, and neighbours take the order in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.forms.structure.bilinear import loss
from edgeopt.forms.structure.group import GROUP, cost, solve
from edgeopt.forms.structure.metric import unweighted
from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.passes import factorize
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from tests.edgeopt.structures import convolution, difference, last, layer
from tests.edgeopt.test_separate_depthwise import SAME, correlated
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def hidden(graph: Graph, groups: int, noise: float = 0.0, ordered: bool = False) -> Graph:
    """``graph`` whose last layer reads and makes its channels in ``groups``, in an order that nobody sees, but for ``noise``."""
    node, rng = last(graph), np.random.default_rng(3)
    outputs, inputs, _ = layer(graph).sizes
    rows, columns = (np.arange(size) * groups // size for size in (outputs, inputs))
    mask = (rows if ordered else rng.permutation(rows))[:, None] == rng.permutation(columns)
    full = layer(graph).weight[0] * np.where(mask, 1.0, noise)[..., None]
    node.set_input(1, graph.constant("weight", full.reshape(np.asarray(node.constant(1)).shape).astype(np.float32)))
    return graph


@settings(max_examples=20, deadline=None)
@given(st.sampled_from((2, 4)), st.sampled_from((1, 3)), st.integers(1, 2), st.booleans(), st.booleans())
def test_hidden_groups_are_found(groups: int, kernel: int, stride: int, bias: bool, residual: bool) -> None:
    window = {"kernel_shape": (kernel, kernel), "strides": (stride, stride), "pads": (1, 0, 1, 1), "dilations": (2, 1)}
    graph = convolution((1, 4 * groups, 6, 7), 3 * groups, window, "Relu", bias, residual)
    made = solve(last(hidden(graph, groups, ordered=residual)), f"group-{groups}", unweighted(last(graph)), False)
    assert difference(graph, made) <= 1e-5 and made.bytes * groups == np.asarray(last(graph).constant(1)).nbytes


def test_what_others_would_have_said_is_made_up_for() -> None:
    graph = hidden(convolution((1, 8, 6, 5), 8, SAME, "Relu", True, False), 2, noise=0.3)
    metric, weight = correlated(graph), layer(graph).weight
    made = solve(last(graph), "group-2", metric, True).weight.reshape(weight.shape)
    blocks = np.where(made != 0, weight, 0.0)
    assert loss(made - weight, metric.second) <= 0.5 * loss(blocks - weight, metric.second)
    better = made + 1e-3 * (made != 0) * np.random.default_rng(0).standard_normal(made.shape)
    assert loss(made - weight, metric.second) < loss(better - weight, metric.second)


@pytest.mark.parametrize("activation", ["", "Relu"])
def test_neighbours_take_the_order_in(activation: str) -> None:
    draft = Draft(Seeded(0))
    x = draft.input((1, 5, 6, 6))
    first = draft.own("FusedConv", x, draft.weight(8, 5, 1, 1), draft.weight(8), activation=activation)
    middle = draft.own("FusedConv", first, draft.weight(8, 8, 3, 3), draft.weight(8), activation=activation, **SAME)
    graph = closed(draft, middle)
    made = solve(last(hidden(graph, 4)), "group-4", unweighted(middle.producer), False)  # type: ignore[arg-type]
    graph.outputs = [draft.own("FusedConv", middle, draft.weight(4, 8, 1, 1))]
    changed = clone(graph)
    assert factorize.make({middle.producer.name: made})(changed, Context()) == 1  # type: ignore[union-attr]
    assert [n.op for n in changed.nodes].count("Gather") == 2
    optimize(changed)
    assert [n.op for n in changed.nodes] == ["FusedConv"] * 3
    feeds = {x.name: np.random.default_rng(0).standard_normal((1, 5, 6, 6)).astype(np.float32)}
    before, after = (next(iter(interpret(g, feeds).values())) for g in (graph, changed))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)


def test_channels_must_divide() -> None:
    graph = convolution((1, 12, 6, 5), 8, SAME, "", True, False)
    assert [key for key in GROUP.keys if cost(last(graph), key) is not None] == ["group-4", "group-2"]
    assert GROUP.obstacle(convolution((1, 3, 6, 5), 8, SAME, "", True, False))
