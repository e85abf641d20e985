"""Layers that are replaced by cheaper ones: chosen where that is faster, inside the budget, and quantised afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.registry import wanted
from edgeopt.frontend import export, load
from edgeopt.frontend.notes import notes
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search import start
from edgeopt.search.allowed import Budget
from edgeopt.search.result import Decision, record
from edgeopt.search.run import approximate
from edgeopt.search.timing import LayerCost, Profile
from edgeopt.target import host
from tests.passes.building import closed
from tests.strategies import Draft, Seeded

CHANNELS, SAMPLES = 32, 120
WINDOW = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


def separable(rng: np.random.Generator, noise: float) -> Array:
    """A weight that three pairs make but for ``noise``."""
    mixing, filters = rng.standard_normal((CHANNELS, CHANNELS, 3)), rng.standard_normal((CHANNELS, 3, 9))
    weight = np.einsum("nct,cti->nci", mixing, filters) / np.sqrt(27 * CHANNELS)
    noisy = weight + noise * weight.std() * rng.standard_normal(weight.shape)
    return np.asarray(noisy.reshape(CHANNELS, CHANNELS, 3, 3), np.float32)


def network(noises: Sequence[float] = (0.01, 0.01)) -> Graph:
    """Convolutions with weights near ones that can be separated, and a classifier."""
    draft, rng = Draft(Seeded(0), 21), np.random.default_rng(0)
    x = draft.input((1, CHANNELS, 8, 8))
    for noise in noises:
        bias = draft.constant(np.zeros(CHANNELS, np.float32))
        x = draft.own("FusedConv", x, draft.constant(separable(rng, noise)), bias, activation="Relu", **WINDOW)
    flat = draft.op("Flatten", draft.op("GlobalAveragePool", x))
    return named(closed(draft, draft.op("MatMul", flat, draft.constant(rng.standard_normal((CHANNELS, 40)).astype(np.float32)))))


def named(graph: Graph) -> Graph:
    """``graph`` with names for its layers, as imported graphs have."""
    for index, node in enumerate(graph.nodes):
        node.name = f"layer{index}"
    return graph


def samples(graph: Graph) -> DataSet:
    rng = np.random.default_rng(1)
    arrays = rng.standard_normal((SAMPLES, CHANNELS, 8, 8)) + 0.7 * rng.standard_normal((SAMPLES, CHANNELS, 1, 1))
    return DataSet({graph.inputs[0].name: arrays.astype(np.float32)})


def timed(monkeypatch: pytest.MonkeyPatch, faster: float, both: float = 0.0) -> None:
    """What every form is said to cost, in place of a clock: ``faster`` times the exact layer, four pairs a little more.

    Structures that are quantised cost ``both`` besides.
    """

    def profiles(graphs: dict[str, Graph], *_: object) -> dict[str, Profile]:
        costs = {name: 1.0 if name == "float32" else faster + 0.01 * name.endswith("4") for name in graphs}
        costs |= {"both": faster + both} if "both" in graphs else {}
        layers = {n.name.split("~")[0]: None for n in next(iter(graphs.values())).nodes}
        return {name: Profile(c, 1, 1, True, dict.fromkeys(layers, LayerCost(c))) for name, c in costs.items()}

    monkeypatch.setattr(start, "stored_profiles", profiles)
    monkeypatch.setattr("edgeopt.search.decide.stored_profiles", profiles)
    monkeypatch.setattr("edgeopt.search.run.stored_profiles", profiles)


def searched(graph: Graph, forms: str, max_drop: float = 5.0, **more: object) -> tuple[Graph, Decision]:
    data = samples(graph)
    budget = Budget(data, data, max_drop=max_drop, forms=forms, **more)  # type: ignore[arg-type]
    made, found = approximate(clone(graph), budget, Context(level=3), host())
    assert found is not None
    return made, found


def test_layers_become_pairs_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    graph = network()
    made, found = searched(graph, "depthwise-first-3")
    assert [n.op for n in made.nodes].count("Concat") == 2 and found.title == "separated"
    assert set(found.forms.values()) == {"depthwise-first-3"} and found.agreement >= 95.0
    data = samples(graph)
    assert metrics.agreement(outputs(made, data), outputs(graph, data)) == pytest.approx(found.agreement, abs=1.0)
    again = load(export(made))
    optimize(again)
    feeds = {made.inputs[0].name: data.arrays[made.inputs[0].name][:1]}
    before, after = (next(iter(interpret(g, feeds).values())) for g in (made, again))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_a_layer_that_loses_too_much_stays_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    _, found = searched(network((0.01, 0.9)), "depthwise-first-3", max_drop=1.0)
    assert (
        list(found.forms.values()) == ["depthwise-first-3", "float32"] and found.after >= 99.0 and found.given_back == ("layer1",)
    )


def test_what_is_not_faster_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 1.0)
    made, found = searched(network(), "depthwise-first-3")
    assert not found.changed and len(found.slow) == 2 and len(made.nodes) == len(network().nodes)
    assert {layer["reason"] for layer in record(found)["layers"]} == {"would be slower"}


def test_layers_that_were_separated_are_quantised(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    graph = network()
    made, found = searched(graph, "depthwise-first-3,w8a8")
    assert found.title == "separated and quantised to w8a8"
    assert list(found.forms.values()) == ["depthwise-first-3 + w8a8", "depthwise-first-3 + w8a8", "w8a8"]
    assert [n.op for n in made.nodes].count("QuantConv") == 2 * 4 and found.before == 100.0 and found.agreement >= 95.0
    data = samples(graph)
    assert metrics.agreement(outputs(made, data), outputs(graph, data)) == pytest.approx(found.agreement, abs=2.0)


def test_structures_that_are_slower_when_quantised_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5, both=0.1)
    made, found = searched(network((0.01,)), "depthwise-first-3,fp16")
    assert set(found.forms.values()) == {"fp16"} and "Concat" not in [n.op for n in made.nodes]
    assert any("separate_depthwise: not with quantize: 600 ms against 500 ms without" in line for line in notes(made))


def test_without_data_the_structure_stays() -> None:
    made, found = approximate(network(), Budget(forms="separate_depthwise,fp16"), Context(level=1), host())
    assert found is not None and found.title == "quantised to fp16, weights only"
    alone, nothing = approximate(network(), Budget(forms="separate_depthwise"), Context(level=1), host())
    for graph in (made, alone):
        assert len(graph.nodes) == len(network().nodes)
        assert any("separate_depthwise: not without data" in line for line in notes(graph))
    assert nothing is None


def test_structures_may_be_wanted_together_other_axes_not() -> None:
    assert list(wanted("low_rank,separate_depthwise,w8a8")) == ["low_rank", "separate_depthwise", "quantize"]
    with pytest.raises(EdgeoptError, match="is asked for"):
        wanted("depthwise-first-1,depthwise-first-2")


def test_the_same_seed_gives_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    first, second = (searched(network(), "pointwise-first-4", 100.0)[0] for _ in range(2))
    for a, b in zip(first.constants, second.constants, strict=True):
        np.testing.assert_array_equal(a.array, b.array)


def test_a_note_says_what_became_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    made, found = searched(network(), "depthwise-first-3")
    assert replace(found, samples=1).summary().startswith("separated: 2 of 2 layers") and found.summary() in notes(made)
