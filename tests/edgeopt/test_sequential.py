"""Sessions that change weights layer after layer: what they know of a layer depends on how it was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Evidence, Form, Session
from edgeopt.forms.registry import techniques
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def opened(technique: str, key: str) -> Session:
    """For two products of 16 columns whose inputs depend on one another, so that solutions by weights alone are others."""
    draft = Draft(Seeded(1), 21)
    first = draft.own("FusedGemm", draft.input((1, 16)), draft.weight(16, 12), draft.weight(12))
    graph = closed(draft, draft.own("FusedGemm", first, draft.weight(12, 8)))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 1, 4)) @ rng.normal(size=(4, 16)) + 0.1 * rng.normal(size=(64, 1, 16))
    return techniques()[technique].open(Evidence(graph, DataSet({graph.inputs[0].name: x.astype(np.float32)})), [key])


@pytest.mark.parametrize(("technique", "key"), [("prune", "unstructured-50"), ("share_weights", "codebook-3")])
def test_a_rough_solution_is_never_taken_for_a_solved_one(technique: str, key: str) -> None:
    asked, fresh = opened(technique, key), opened(technique, key)
    forms = {layer: Form(technique, key) for layer in asked.offers()}
    rough, solved, expected = asked.rough(forms, Overlay()), asked.solve(forms, Overlay()), fresh.solve(forms, Overlay())
    assert len(forms) == 2
    for layer in forms:
        np.testing.assert_array_equal(solved[layer].weight, expected[layer].weight)
        assert not np.array_equal(rough[layer].weight, solved[layer].weight)
        np.testing.assert_array_equal(asked.rough(forms, Overlay())[layer].weight, rough[layer].weight)
