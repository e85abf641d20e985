"""Sessions that change weights layer after layer: what they know of a layer depends on how it was asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeopt.coding import coded_size
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms import responses
from edgeopt.forms import walk as walk_module
from edgeopt.forms.form import Evidence, Form, Session
from edgeopt.forms.registry import techniques
from edgeopt.forms.seen import few_digits
from edgeopt.forms.sequential import Sequential
from edgeopt.forms.walk import walk
from edgeopt.ir import Array, Graph
from tests.passes.building import closed
from tests.strategies import Draft, Seeded

PRUNED, SHARED = Form("prune", "unstructured-50"), Form("share_weights", "codebook-3")


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


def walked(asked: list[tuple[Session, dict[str, Form]]]) -> list[dict[tuple[str, int], Array]]:
    """The constants that each session changes in one walk."""
    sessions = [(session, forms) for session, forms in asked if isinstance(session, Sequential)]
    solutions = walk(sessions, Overlay())
    return [session.overlay(made).constants for (session, _), made in zip(sessions, solutions, strict=True)]


def test_zeros_and_tables_of_one_walk_are_those_of_two() -> None:
    (prune, share), (first, second) = [(opened("prune", PRUNED.key), opened("share_weights", SHARED.key)) for _ in range(2)]
    layers = list(prune.offers())
    pruned, shared = dict.fromkeys(layers, PRUNED), dict.fromkeys(layers, SHARED)
    made = walked([(prune, pruned), (share, shared)])[1]
    under = first.overlay(first.solve(pruned, Overlay()))
    expected = second.overlay(second.solve(shared, under)).constants
    assert len(layers) == 2 and expected.keys() == made.keys()
    for place, array in expected.items():
        np.testing.assert_array_equal(made[place], array)


def test_a_layer_is_solved_for_inputs_that_have_all_changes() -> None:
    (prune, share), (first, second) = [(opened("prune", PRUNED.key), opened("share_weights", SHARED.key)) for _ in range(2)]
    before, behind = prune.offers()
    made = walked([(prune, {behind: PRUNED}), (share, {before: SHARED})])[0]
    under = second.overlay(second.solve({before: SHARED}, Overlay()))
    expected = first.overlay(first.solve({behind: PRUNED}, under)).constants
    by_exact_inputs = first.overlay(first.solve({behind: PRUNED}, Overlay())).constants
    np.testing.assert_array_equal(made[behind, 1], expected[behind, 1])
    assert not np.array_equal(made[behind, 1], by_exact_inputs[behind, 1])


def test_one_threshold_of_magnitude_holds_for_all_layers() -> None:
    session = opened("prune", "global-75")
    nodes = {node.name: np.asarray(node.constant(1)) for node in session.evidence.graph.nodes}  # type: ignore[attr-defined]
    found = session.solve({layer: Form("prune", "global-75") for layer in nodes}, Overlay())
    sizes = np.concatenate([np.abs(weight).ravel() for weight in nodes.values()])
    kept = np.concatenate([found[layer].weight.ravel() != 0 for layer in nodes])
    assert kept.sum() == round(sizes.size / 4) and sizes[kept].min() > sizes[~kept].max()
    shares = [np.count_nonzero(found[layer].weight) / weight.size for layer, weight in nodes.items()]
    assert shares[0] != shares[1]  # a layer keeps what is large in the network, not what is large in the layer


def test_grouped_tables_are_those_of_sixteen_outputs() -> None:
    draft = Draft(Seeded(2), 21)
    graph = closed(draft, draft.own("FusedConv", draft.input((1, 8, 4, 4)), draft.weight(40, 8, 3, 3), pads=[1, 1, 1, 1]))
    (node,) = graph.nodes
    x = np.random.default_rng(0).normal(size=(40, 8, 4, 4)).astype(np.float32)
    session = techniques()["share_weights"].open(Evidence(graph, DataSet({graph.inputs[0].name: x})), ["grouped-3", "codebook-3"])
    errors = {}
    for key in session.keys:  # type: ignore[attr-defined]
        solved = session.solve({node.name: Form("share_weights", key)}, Overlay())
        errors[key] = session.errors(solved)[node.name]
        weight = solved[node.name].weight
        assert all(len(np.unique(part)) <= 8 for part in (np.split(weight, [16, 32]) if key == "grouped-3" else [weight]))
    assert errors["grouped-3"] < errors["codebook-3"]


def test_the_exact_network_runs_once_for_all_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for what it gives it runs beside each, and every layer becomes the same."""
    runs = list[int]()

    def counted(graph: Graph, data: DataSet, overlays: Sequence[Overlay]) -> Lockstep:
        runs.append(len(overlays))
        return Lockstep(graph, data, overlays)

    monkeypatch.setattr(walk_module, "Lockstep", counted)
    found = []
    for room in (responses.MOST, 0, 64 * 13 * 4):  # for both layers, none, and the first
        monkeypatch.setattr(responses, "MOST", room)
        session = opened("prune", PRUNED.key)
        first, second = session.offers()
        found += [walked([(session, forms)])[0] for forms in ({first: PRUNED}, {first: PRUNED, second: PRUNED})]
    assert runs == [1, 1, 1, 1] + [1, 2, 1, 2] + [1, 1, 1, 2]  # runs beside one another, in a walk and ahead of it
    for kept, other in zip(found[:2] * 2, found[2:], strict=True):
        assert kept.keys() == other.keys() and all(np.array_equal(kept[place], other[place]) for place in kept)


def test_numbers_beside_the_weights_have_the_digits_of_half_precision() -> None:
    """In the range of float32: their other bits are zero, which takes few bytes."""
    values = np.random.default_rng(0).normal(size=256).astype(np.float32)
    made = few_digits(values)
    np.testing.assert_array_equal(made, values.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(few_digits(made), made)
    np.testing.assert_allclose(few_digits(values * 2.0**-100), made * 2.0**-100, rtol=0)
    assert few_digits(np.zeros(3)).tolist() == [0.0] * 3 and coded_size(made) < 0.7 * coded_size(values)


@pytest.mark.parametrize(("technique", "key"), [("prune", "unstructured-50"), ("share_weights", "scaled-4")])
def test_corrected_biases_and_steps_have_them(technique: str, key: str) -> None:
    session = opened(technique, key)
    solved = session.solve({layer: Form(technique, key) for layer in session.offers()}, Overlay())
    biases = [made.bias for made in solved.values() if made.bias is not None]
    steps = [made.grid.scale for made in solved.values() if made.grid is not None]
    assert len(biases) == 1 and len(steps) == (2 if technique == "share_weights" else 0)
    for numbers in [*biases, *steps]:
        np.testing.assert_array_equal(few_digits(numbers), numbers)
