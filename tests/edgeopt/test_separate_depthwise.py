"""separate_depthwise: exact at full rank for every window, nearest by weights, better by responses, cheaper or not offered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from edgeopt.forms.structure.bilinear import loss
from edgeopt.forms.structure.metric import Metric, unweighted
from edgeopt.forms.structure.separate_depthwise import DEPTHWISE, POINTWISE, SEPARATE_DEPTHWISE, cost, solve
from edgeopt.ir import Graph
from edgeopt.ops.macs import macs
from tests.edgeopt.structures import convolution, convolutions, difference, last, layer

SAME = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


def plain(channels: int = 6, outputs: int = 5) -> Graph:
    return convolution((1, channels, 6, 5), outputs, SAME, "Relu", bias=True, residual=False)


def correlated(graph: Graph, seed: int = 0) -> Metric:
    """Inputs that are alike, as those of real layers are."""
    rng, inner = np.random.default_rng(seed), layer(graph).weight[0, 0].size
    rows = rng.standard_normal((4 * inner, inner)) @ (rng.standard_normal((inner, inner)) * np.geomspace(1, 0.05, inner)[:, None])
    return Metric((rows.T @ rows)[None] / len(rows), rng.standard_normal((1, inner)))


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_it_is_exact_at_full_rank(graph: Graph) -> None:
    found = layer(graph)
    _, outputs, inputs, taps = found.weight.shape
    for kind, side in ((DEPTHWISE, outputs), (POINTWISE, inputs)):
        made = solve(last(graph), f"{kind}-{min(side, taps)}", unweighted(last(graph)), False)
        assert difference(graph, made) <= 1e-5
        np.testing.assert_allclose(made.weight, np.asarray(last(graph).constant(1)), atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(convolutions())
def test_the_weight_that_it_stands_for_is_what_the_chains_compute(graph: Graph) -> None:
    for kind in (DEPTHWISE, POINTWISE):
        made = solve(last(graph), f"{kind}-1", unweighted(last(graph)), False)
        node = last(graph)
        if made.bias is not None:
            node.set_input(2, graph.constant("bias", made.bias))
        node.set_input(1, graph.constant("weight", made.weight))
        assert difference(graph, made) <= 1e-5


@pytest.mark.parametrize("kind", [DEPTHWISE, POINTWISE])
def test_without_responses_no_pairs_of_that_rank_are_nearer(kind: str) -> None:
    """Eckart and Young: what is lost is the energy of the singular values that are left out."""
    graph, pairs = plain(), 2
    weight = layer(graph).weight[0]
    made = solve(last(graph), f"{kind}-{pairs}", unweighted(last(graph)), True)
    matrices = weight.transpose(1, 0, 2) if kind == DEPTHWISE else weight
    least = (np.linalg.svd(matrices, compute_uv=False)[:, pairs:] ** 2).sum()
    assert np.square(made.weight.reshape(weight.shape) - weight).sum() == pytest.approx(least, rel=1e-4)


@pytest.mark.parametrize("kind", [DEPTHWISE, POINTWISE])
@pytest.mark.parametrize("pairs", [1, 2])
def test_responses_make_it_better(kind: str, pairs: int) -> None:
    graph = plain()
    metric, weight = correlated(graph), layer(graph).weight
    errors = []
    for fit in (False, True):
        made = solve(last(graph), f"{kind}-{pairs}", metric, fit)
        errors.append(loss(made.weight.reshape(weight.shape) - weight, metric.second))
    assert errors[1] <= 0.7 * errors[0]


def test_the_bias_makes_up_for_the_mean() -> None:
    graph = plain()
    node, metric = last(graph), correlated(graph)
    made, before = solve(node, f"{DEPTHWISE}-1", metric, True), node.constant(1)
    assert before is not None and made.bias is not None
    lost = (before - made.weight).reshape(len(before), -1) @ metric.mean[0]
    np.testing.assert_allclose(made.bias, np.asarray(node.constant(2)) + lost, rtol=1e-4, atol=1e-5)


def test_only_what_is_less_work_is_offered() -> None:
    wide, narrow = convolution((1, 32, 8, 8), 32, SAME, "", True, False), plain(1, 1)
    offered = [key for key in SEPARATE_DEPTHWISE.keys if cost(last(wide), key) is not None]
    assert offered[:2] == [f"{DEPTHWISE}-1", f"{POINTWISE}-1"]
    assert cost(last(wide), f"{DEPTHWISE}-1") == 64 * 32 * (9 + 32) < (macs(last(wide)) or 0)
    assert all(cost(last(narrow), key) is None for key in SEPARATE_DEPTHWISE.keys)
    assert "depthwise and a pointwise" in SEPARATE_DEPTHWISE.obstacle(narrow)
