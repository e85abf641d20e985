"""low_rank: exact at full rank for every window and for matrix products, best possible for responses, cheaper or not offered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from edgeopt.forms.structure.bilinear import loss
from edgeopt.forms.structure.low_rank import INPUT, LOW_RANK, RESPONSE, SPATIAL, cost, factored
from edgeopt.forms.structure.metric import Metric, unweighted
from edgeopt.ir import Graph
from edgeopt.ops.macs import macs
from tests.edgeopt.structures import convolution, convolutions, difference, last, layer
from tests.edgeopt.test_separate_depthwise import SAME, correlated, plain
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def gemm(depth: int = 24, columns: int = 16) -> Graph:
    draft = Draft(Seeded(0))
    x = draft.input((2, depth))
    return closed(draft, draft.own("FusedGemm", x, draft.weight(depth, columns), draft.weight(columns), activation="Relu"))


def full(graph: Graph, kind: str) -> int:
    outputs, inputs, _ = layer(graph).sizes
    if kind == RESPONSE:
        return outputs
    kernel = layer(graph).kernel
    return inputs if kind == INPUT else min(outputs * kernel[1], inputs * kernel[0])


@settings(max_examples=40, deadline=None)
@given(convolutions(axes=(2,)))
def test_it_is_exact_at_full_rank(graph: Graph) -> None:
    for kind in (RESPONSE, INPUT, SPATIAL):
        made = factored(layer(graph), kind, full(graph, kind), unweighted(last(graph)), False)
        assert difference(graph, made) <= 1e-5


@settings(max_examples=10, deadline=None)
@given(convolutions(axes=(1, 3)))
def test_other_maps_than_planes(graph: Graph) -> None:
    for kind in (RESPONSE, INPUT):
        made = factored(layer(graph), kind, full(graph, kind), unweighted(last(graph)), False)
        assert difference(graph, made) <= 1e-5
    assert all(cost(last(graph), key) is None for key in LOW_RANK.keys if key.startswith(SPATIAL))


def test_a_matrix_product_is_exact_at_full_rank() -> None:
    assert difference(gemm(), factored(layer(gemm()), RESPONSE, 16, unweighted(last(gemm())), False)) <= 1e-5


def test_no_layer_of_that_rank_has_nearer_responses() -> None:
    """What is lost are the smallest principal values of the responses."""
    graph, channels = plain(), 2
    weight, metric = layer(graph).weight, correlated(graph)
    made = factored(layer(graph), RESPONSE, channels, metric, True).weight.reshape(weight.shape)
    flat = weight[0].reshape(weight.shape[1], -1)
    least = np.linalg.eigvalsh(flat @ metric.second[0] @ flat.T)[:-channels].sum()
    assert loss(made - weight, metric.second) == pytest.approx(least, rel=1e-4)


@pytest.mark.parametrize("kind", [INPUT, SPATIAL])
def test_responses_make_it_better(kind: str) -> None:
    graph = plain()
    metric, weight = correlated(graph), layer(graph).weight
    made = [factored(layer(graph), kind, 3, metric, fit).weight.reshape(weight.shape) for fit in (False, True)]
    errors = [loss(m - weight, metric.second) for m in made]
    assert errors[1] <= 0.8 * errors[0]


def test_the_number_of_a_form_is_its_share_of_the_work() -> None:
    for graph in (convolution((1, 64, 8, 8), 64, SAME, "", True, False), gemm(256, 256)):
        before = macs(last(graph)) or 0
        for key in [k for k in LOW_RANK.keys if cost(last(graph), k) is not None]:
            share = 100 * (cost(last(graph), key) or 0) / before
            assert 0.75 * int(key.split("-")[1]) <= share <= int(key.split("-")[1])
    assert [k for k in LOW_RANK.keys if cost(last(gemm(256, 256)), k) is not None] == list(LOW_RANK.keys[:2])


def test_a_pointwise_convolution_has_no_other_form_than_a_product() -> None:
    graph = convolution((1, 32, 4, 4), 32, {"kernel_shape": (1, 1)}, "", True, False)
    offered = [k for k in LOW_RANK.keys if cost(last(graph), k) is not None]
    assert offered and all(k.startswith(RESPONSE) for k in offered)


def test_a_metric_of_inputs_that_never_differ_keeps_the_numbers_finite() -> None:
    graph = plain()
    inner = layer(graph).weight[0, 0].size
    made = factored(layer(graph), INPUT, 2, Metric(np.zeros((1, inner, inner)), np.zeros((1, inner))), True)
    assert np.isfinite(made.weight).all()
