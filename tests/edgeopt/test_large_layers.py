"""Layers of very many inputs are rounded part by part, and layers that stay exact cost no calibration."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.moments import Moments, cut
from edgeopt.forms.product_quantize.technique import ProductQuantize
from edgeopt.forms.quantize import reconstruct
from edgeopt.forms.quantize.technique import Quantize, QuantizeSession
from edgeopt.ir import Graph
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def network() -> tuple[Graph, DataSet, list[str]]:
    """Two dense layers of 32 and 24 inputs, samples, and the names of the layers."""
    draft = Draft(Seeded(0))
    x = draft.input((1, 32))
    first = draft.own("FusedGemm", x, draft.weight(32, 24), activation="Relu")
    graph = closed(draft, draft.own("FusedGemm", first, draft.weight(24, 16)))
    arrays = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
    return graph, DataSet({graph.inputs[0].name: arrays}, None), [node.name for node in graph.nodes]


@pytest.mark.parametrize("limit", [1, 7, 127])
def test_parts_that_do_not_go_together_are_rounded_as_the_whole(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruct, "MAX_ROUNDED_COLUMNS", 8)
    rng = np.random.default_rng(0)
    rows, mixing = rng.normal(size=(1, 5, 24)), rng.normal(size=(2, 3, 8, 8))
    own, cross = mixing[0] @ mixing[0].transpose(0, 2, 1), mixing[0] @ mixing[0].transpose(0, 2, 1) + 0.1 * mixing[1]
    own *= (8 / np.trace(own, axis1=1, axis2=2))[:, None, None]  # damped alike, in parts and as a whole
    mean = rng.normal(size=(3, 8))
    whole = [np.zeros((1, 24, 24)), np.zeros((1, 24, 24))]
    for part in range(3):
        here = slice(8 * part, 8 * part + 8)
        whole[0][0, here, here], whole[1][0, here, here] = own[part], cross[part]
    known = (Moments(own, mean, mean, cross), Moments(whole[0], mean.reshape(1, 24), mean.reshape(1, 24), whole[1]))
    found = [reconstruct._codes(rows, moments, limit, (), reconstruct.Repairs()) for moments in known]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-6)
    assert found[0][0].shape == rows.shape and cut(rows, 3).shape == (3, 5, 8)


def test_a_layer_in_parts_is_solved_in_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruct, "MAX_ROUNDED_COLUMNS", 16)
    monkeypatch.setattr(reconstruct, "NEIGHBOURS", 8)
    graph, data, names = network()
    session = Quantize().open(Evidence(graph, data), ["w8a8"])
    solution = session.solve({name: Form("quantize", "w8a8") for name in names}, Overlay())
    assert max(session.errors(solution).values()) < 0.02


@pytest.mark.parametrize("technique", [Quantize(), ProductQuantize()])
def test_layers_that_stay_exact_are_not_looked_at(technique: Quantize | ProductQuantize) -> None:
    graph, data, (first, last) = network()
    key = technique.first()
    session = technique.open(Evidence(graph, data, exact=frozenset([last])), [key])
    solution = session.solve({first: Form(technique.name, key)}, Overlay())
    assert set(session.errors(solution)) == {first}
    inner = session if isinstance(session, QuantizeSession) else session._inner  # type: ignore[attr-defined]
    assert all(set(plan.weights) == {first} for plans in inner._plans.values() for plan in plans.values())
