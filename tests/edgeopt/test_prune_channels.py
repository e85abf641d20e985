"""prune_channels: channels that others can stand for go, groups share them, readers are fitted again, others are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.applied import applied
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.registry import default, wanted
from edgeopt.forms.structure.channel_groups import groups_of
from edgeopt.forms.structure.channel_saliency import Reader, least_salient, trusted
from edgeopt.forms.structure.channel_session import ChannelSession
from edgeopt.forms.structure.prune_channels import KEYS, PRUNE_CHANNELS
from edgeopt.ir import Array, Graph
from edgeopt.ops.channels import channels_of
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.target import host
from tests.edgeopt.test_structure_search import named, timed
from tests.narrowing import SAME
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def network(twins: int = 8, width: int = 16) -> Graph:
    """Two residual blocks whose hidden channels come in ``twins`` that differ in scale, and a classifier."""
    draft, rng = Draft(Seeded(0)), np.random.default_rng(0)
    first = draft.weight(width, 3, 3, 3), draft.weight(width)
    x = draft.own("FusedConv", draft.input((1, 3, 6, 6)), *first, activation="Relu", **SAME)
    for _ in range(2):
        weight, bias = rng.standard_normal((width, width, 3, 3)) / 12, np.full(width, 0.3)
        weight[width - twins :], bias[width - twins :] = 0.5 * weight[:twins], 0.5 * bias[:twins]
        h = draft.own("FusedConv", x, draft.constant(weight), draft.constant(bias), activation="Relu", **SAME)
        second = draft.constant(rng.standard_normal((width, width, 3, 3)) / 12)
        x = draft.own("FusedConv", h, second, draft.weight(width), x, activation="Relu", **SAME)
    flat = draft.op("Flatten", draft.op("GlobalAveragePool", x))
    return named(closed(draft, draft.own("FusedGemm", flat, draft.weight(width, 10), draft.weight(10))))


def data(graph: Graph, count: int = 96) -> DataSet:
    return DataSet({graph.inputs[0].name: np.random.default_rng(1).standard_normal((count, 3, 6, 6)).astype(np.float32)})


def pruned(graph: Graph, forms: dict[str, str]) -> tuple[Graph, float]:
    """The graph with the forms carried out, and the relative error of its output; that of the overlay is the same."""
    session = PRUNE_CHANNELS.open(Evidence(graph, data(graph)), KEYS)
    solution = session.solve({name: Form("prune_channels", key) for name, key in forms.items()}, Overlay())
    made = applied(graph, [(session, solution)], Context(level=1))
    held = data(graph, 128).take(slice(96, 128))
    exact, after = outputs(graph, held), outputs(made, held)
    np.testing.assert_allclose(outputs(graph, held, session.overlay(solution)), after, rtol=1e-4, atol=1e-4)
    return made, float(np.linalg.norm(after - exact) / np.linalg.norm(exact))


def widths(graph: Graph) -> list[int]:
    return [np.asarray(n.constant(1)).shape[0] for n in graph.nodes if n.is_own("FusedConv")]


def test_the_layers_that_write_one_sum_are_a_group() -> None:
    graph = network()
    groups = groups_of(graph, channels_of(graph))
    assert {name: group.makers for name, group in groups.items()} == {
        "layer0": ("layer0", "layer2", "layer4"),
        "layer1": ("layer1",),
        "layer3": ("layer3",),
    }
    assert groups["layer0"].readers == ("layer1", "layer3", "layer7")


def test_channels_that_others_stand_for_cost_little() -> None:
    made, error = pruned(network(), {"layer1": "channels-50", "layer3": "channels-50"})
    assert widths(made) == [16, 8, 16, 8, 16] and error <= 0.02


def test_a_whole_sum_gets_narrower() -> None:
    made, error = pruned(network(), {"layer0": "channels-25", "layer1": "channels-50"})
    assert widths(made) == [12, 8, 12, 16, 12] and error <= 0.7
    assert pruned(network(), {"layer0": "channels-50"})[1] >= pruned(network(), {"layer0": "channels-25"})[1]


def test_depthwise_layers_follow_and_are_fitted_again() -> None:
    draft = Draft(Seeded(0))
    h = draft.own("FusedConv", draft.input((1, 3, 6, 6)), draft.weight(16, 3, 1, 1), draft.weight(16), activation="Relu")
    d = draft.own("FusedConv", h, draft.weight(16, 1, 3, 3), draft.weight(16), group=16, **SAME)
    first = draft.own("FusedConv", d, draft.weight(16, 16, 1, 1), draft.weight(16), activation="Relu")
    second = draft.own("FusedConv", first, draft.weight(16, 1, 3, 3), draft.weight(16), group=16, **SAME)
    graph = named(closed(draft, draft.own("FusedConv", second, draft.weight(5, 16, 1, 1), draft.weight(5))))
    groups = groups_of(graph, channels_of(graph))
    assert [(name, g.followers, g.readers) for name, g in groups.items()] == [
        ("layer0", ("layer1",), ("layer2",)),
        ("layer2", ("layer3",), ("layer4",)),
    ]
    made, error = pruned(graph, {"layer0": "channels-50", "layer2": "channels-25"})
    assert widths(made) == [8, 8, 12, 12, 5] and [n.integer("group", 1) for n in made.nodes] == [1, 8, 1, 12, 1]
    before, after = (np.asarray(g.nodes[3].constant(1)).reshape(-1, 9) for g in (graph, made))
    assert error <= 0.5 and not any((after == row).all(axis=1).any() for row in before)


def test_saliency_is_what_the_loss_costs_once_the_rest_makes_up_for_it() -> None:
    rng = np.random.default_rng(0)
    weight, mixed = rng.standard_normal((3, 12)), rng.standard_normal((12, 40))
    second, classes = mixed @ mixed.T, np.repeat(np.arange(4), 3)
    rises = Reader(weight, second, classes).rises(np.arange(5))
    whole = np.einsum("nk,kl,nl->", weight, second, weight)
    for one in range(4):
        kept = classes != one
        best = np.linalg.solve(second[np.ix_(kept, kept)], second[kept] @ weight.T).T
        lost = weight.copy()
        lost[:, kept] -= best
        assert np.isclose(rises[one], np.einsum("nk,kl,nl->", lost, second, lost) / whole)
        reader = Reader(weight, second, classes)
        reader.lose(one)
        assert np.allclose(reader.weight[:, kept], best) and not reader.weight[:, ~kept].any()
    assert rises[4] == 0
    assert least_salient([Reader(weight, second, classes)], [np.arange(4)], [1]) == [rises[:4].argmin()]


def test_few_rows_show_no_correlations() -> None:
    rows = np.random.default_rng(0).standard_normal((4, 64))
    second: Array = rows.T @ rows / 4
    off = ~np.eye(64, dtype=bool)
    assert np.allclose(trusted(second, 4)[off], second[off] / 17) and np.allclose(np.diag(trusted(second, 4)), np.diag(second))
    assert trusted(second, 0) is second


def test_whole_vectors_of_the_target_stay() -> None:
    graph = network(8, 48)
    offered = {vector: PRUNE_CHANNELS.open(Evidence(graph, vector=vector), KEYS).offers() for vector in (4, 16, 48)}
    assert [bool(offers) for offers in offered.values()] == [True, True, False]
    group = groups_of(graph, channels_of(graph))["layer1"]
    kept = {vector: [48 - sum(group.counts(share, vector)) for share in (25, 50, 75)] for vector in (4, 16, 48)}
    assert kept == {4: [36, 24, 12], 16: [32, 32, 16], 48: [48, 48, 48]}


def test_a_group_costs_what_all_of_its_layers_do() -> None:
    graph = network()
    session = PRUNE_CHANNELS.open(Evidence(graph, data(graph)), KEYS)
    assert isinstance(session, ChannelSession)
    assert session.shares("layer1") == {"layer1": 0.5, "layer2": 0.5}
    assert session.shares("layer0") == dict.fromkeys(("layer0", "layer1", "layer2", "layer3", "layer4", "layer7"), 0.5)


def test_it_is_asked_for_and_searched_with_alone() -> None:
    assert "prune_channels" not in default() and wanted("channels-25") == {"prune_channels": "channels-25"}
    with pytest.raises(EdgeoptError, match="name one of them"):
        wanted("prune_channels,low_rank")


def test_a_graph_without_free_channels_is_left_as_it_is() -> None:
    draft = Draft(Seeded(0))
    graph = closed(draft, draft.conv(draft.input((1, 3, 6, 6))))
    assert "no layer with channels that can go" in PRUNE_CHANNELS.obstacle(graph) and not PRUNE_CHANNELS.obstacle(network())


def test_a_search_prunes_channels_and_quantises_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    graph = network(16, 32)
    samples = data(graph, 120)
    made, found = approximate(graph, Budget(samples, samples, 10.0, "prune_channels,w8a8"), Context(level=1), host())
    assert found is not None and found.title == "left with fewer channels and quantised to w8a8" and found.agreement >= 90.0
    assert any(form.startswith("channels-") for form in found.forms.values())
    assert "QuantConv" in [n.op for n in made.nodes]
