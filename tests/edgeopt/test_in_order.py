"""fitted_in_order: layers make up for what the layers before them lost, and an unchanged network is left as it is."""

from __future__ import annotations

import numpy as np

from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.moments import layer_moments
from edgeopt.forms.structure.metric import after_changes
from edgeopt.forms.structure.separate_depthwise import SEPARATE_DEPTHWISE
from edgeopt.ir import Graph
from tests.edgeopt.test_structure_search import network, samples


def lost(graph: Graph, overlay: Overlay) -> float:
    data = samples(graph)
    exact = outputs(graph, data)
    return float(np.linalg.norm(outputs(graph, data, overlay) - exact) / np.linalg.norm(exact))


def test_layers_make_up_for_one_another() -> None:
    graph = network((0.3, 0.3, 0.3))
    session = SEPARATE_DEPTHWISE.open(Evidence(graph, samples(graph)), ["depthwise-first-2"])
    forms = {n.name: Form("separate_depthwise", "depthwise-first-2") for n in graph.nodes if n.is_own("FusedConv")}
    alone, together = session.alone(forms), session.solve(forms, Overlay())
    assert lost(graph, session.overlay(together)) <= 0.9 * lost(graph, session.overlay(alone))
    assert session.solve(forms, Overlay()) is together


def test_inputs_that_did_not_change_want_the_same_weight() -> None:
    graph = network()
    node, rng = graph.nodes[0], np.random.default_rng(0)
    maps = rng.standard_normal((4, 32, 8, 8)).astype(np.float32)
    metric = after_changes(node, layer_moments(node, maps, maps))
    np.testing.assert_allclose(
        metric.layer(node).weight[0].reshape(32, -1), np.asarray(node.constant(1)).reshape(32, -1), atol=1e-9
    )


def test_a_factor_in_the_inputs_is_taken_back() -> None:
    graph = network()
    node, rng = graph.nodes[0], np.random.default_rng(0)
    maps = rng.standard_normal((16, 32, 8, 8)).astype(np.float32)
    metric = after_changes(node, layer_moments(node, 0.5 * maps, maps))
    before = np.asarray(node.constant(1)).reshape(32, -1)
    assert np.linalg.norm(metric.layer(node).weight[0].reshape(32, -1) - 2 * before) <= 0.05 * np.linalg.norm(before)
