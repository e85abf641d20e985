"""What a recipe is made of: ranges by what layers compute, channels of equal reach, a choice that chance does not sway."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.calibration import least
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.metrics import decision_divergence
from edgeopt.evaluate.observe import observe
from edgeopt.forms.moments import ELEMENTS, FEWEST_ROWS, ROWS, MomentSum, layer_moments, sampled_rows
from edgeopt.forms.quantize.equalize import channel_reaches
from edgeopt.forms.quantize.grids import RULES, Grids
from edgeopt.forms.quantize.recipe import Recipe, _clearly_best, best_recipe
from edgeopt.ir import Array, Graph
from edgeopt.ops.grid import scheme
from edgeopt.ops.grids import linear_nodes
from tests.passes.building import closed
from tests.strategies import Draft, Seeded


def chain(spread: float = 1.0, seed: int = 0) -> tuple[Graph, DataSet]:
    """Two convolutions and a mean; the channels between them reach from 1 to ``spread``."""
    draft = Draft(Seeded(seed))
    x = draft.input((1, 3, 6, 6))
    scale = np.geomspace(1.0, spread, 8).reshape(8, 1, 1, 1)
    first = draft.own("FusedConv", x, draft.constant(scale * draft.weight(8, 3, 3, 3).array), activation="Relu")
    last = draft.own("FusedConv", first, draft.constant(draft.weight(5, 8, 1, 1).array / scale.reshape(1, 8, 1, 1)))
    graph = closed(draft, draft.op("GlobalAveragePool", last))
    arrays = np.random.default_rng(seed).normal(size=(40, 3, 6, 6)).astype(np.float32)
    return graph, DataSet({graph.inputs[0].name: arrays}, np.zeros(40, np.int64))


def test_the_product_rule_is_best_in_its_own_measure() -> None:
    graph, data = chain(3.0)
    wanted, nodes = scheme("w4a4"), linear_nodes(graph)
    seen = Grids(graph, nodes, data)
    node = nodes[1]
    source = node.input(0)
    assert source is not None
    errors = {rule: seen._evidence[node].error(seen.found(rule, wanted)[source.name]) for rule in RULES}
    assert errors["product"] <= 1.02 * min(errors.values())


def test_an_unknown_rule_is_refused() -> None:
    graph, data = chain()
    with pytest.raises(EdgeoptError, match="product, minmax"):
        Grids(graph, linear_nodes(graph), data).found("best", scheme("w8a8"))


@given(low=st.floats(-5, 0), high=st.floats(0.1, 5), a=st.floats(-6, 0), b=st.floats(0, 6))
def test_the_least_error_is_found_to_a_step(low: float, high: float, a: float, b: float) -> None:
    """A convex error has its least value at the clipped target, which the shares reach to half a step at each end."""
    shares = np.linspace(1.0, 0.0, 101)
    found = least(lambda x, y: (x - a) ** 2 + (y - b) ** 2, low, high, False, shares)
    assert abs(found[0] - max(a, low)) <= 0.011 * -low + 1e-9
    assert abs(found[1] - min(b, high)) <= 0.011 * high + 1e-9


def test_equalised_channels_reach_alike_and_outputs_stay() -> None:
    graph, data = chain(16.0)
    before, node = outputs(graph, data), linear_nodes(graph)[0]
    uneven = channel_reaches(graph, data)[node.name]
    Recipe(equalize=True).prepare(graph, data)
    even = channel_reaches(graph, data)[node.name]
    assert np.ptp(np.log(even)) < 1e-3 < np.ptp(np.log(uneven))
    np.testing.assert_allclose(outputs(graph, data), before, rtol=1e-4, atol=1e-5)


def test_uneven_channels_are_equalised_and_the_graph_stays() -> None:
    graph, data = chain(30.0)
    text = str(graph)
    recipe = best_recipe(graph, data, scheme("w8a8"))
    assert recipe.equalize and str(graph) == text


def test_small_differences_do_not_sway() -> None:
    assert _clearly_best([("a", 1.0), ("b", 0.95)]) == "a"
    assert _clearly_best([("a", 1.0), ("b", 0.85), ("c", 0.8)]) == "b"


def moments_of(node_rows: Array) -> Array:
    return np.asarray(np.einsum("gpk,gpl->gkl", node_rows, node_rows) / node_rows.shape[1])


def test_moments_are_those_of_all_rows() -> None:
    graph, data = chain()
    node = linear_nodes(graph)[1]
    source = node.input(0)
    assert source is not None
    x = observe(graph, [source.name], data)[source.name]
    found = layer_moments(node, x, x + 1)
    rows = x.transpose(0, 2, 3, 1).reshape(1, -1, 8).astype(np.float64)
    np.testing.assert_allclose(found.own, moments_of(rows), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.reference_mean - found.mean, np.ones((1, 8)), rtol=1e-4)
    assert found.cross is not None
    np.testing.assert_allclose(found.cross, np.einsum("gpk,gpl->gkl", rows + 1, rows) / rows.shape[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("channels", "kernel", "rows"), [(8, 3, ROWS // 64), (256, 5, -(-(ELEMENTS // (25 * 256)) // 64))])
def test_rows_of_many_groups_are_fewer(channels: int, kernel: int, rows: int) -> None:
    """A matrix of moments for each channel: ``ROWS`` windows of few channels, but about ``ELEMENTS`` of many."""
    draft = Draft(Seeded(0))
    x = draft.input((1, channels, 32, 32))
    weight = draft.constant(draft.weight(channels, 1, kernel, kernel).array)
    graph = closed(draft, draft.own("FusedConv", x, weight, group=channels, pads=[kernel // 2] * 4))
    maps = np.zeros((1, channels, 32, 32), np.float32)
    (found,) = sampled_rows(linear_nodes(graph)[0], [maps], 64, 0)
    assert found.shape == (channels, rows, kernel * kernel) and 64 * rows >= FEWEST_ROWS * kernel**2


def test_sampled_rows_are_windows_at_equal_places() -> None:
    graph, data = chain()
    node, x = linear_nodes(graph)[0], data.arrays[graph.inputs[0].name]
    first, second = sampled_rows(node, [x, 2 * x], len(x), 3, share=5)
    assert first.shape == (1, 5 * len(x), 27)
    np.testing.assert_array_equal(second, 2 * first)
    every = {row.tobytes() for row in sampled_rows(node, [x[:1]], 1, 0)[0][0]}
    assert all(row.tobytes() in every for row in first[0, :5])


@given(blocks=st.lists(st.integers(1, 6000), min_size=1, max_size=4), seed=st.integers(0, 9))
def test_sums_do_not_depend_on_blocks(blocks: list[int], seed: int) -> None:
    rows, total = np.random.default_rng(seed).normal(size=(1, sum(blocks), 3)).astype(np.float32), MomentSum(cross=False)
    for part in np.split(rows, np.cumsum(blocks)[:-1], axis=1):
        total.add(part, part)
    np.testing.assert_allclose(total.result().own, moments_of(rows.astype(np.float64)), rtol=1e-3, atol=1e-3)


def test_what_a_weight_makes_of_the_inputs_is_summed_by_itself() -> None:
    rng = np.random.default_rng(0)
    x, y, weight = (rng.normal(size=(2, size, 5)).astype(np.float32) for size in (300, 300, 3))
    whole, narrow = MomentSum(cross=True), MomentSum(True, weight)
    whole.add(x, y)
    for part in (slice(0, 100), slice(100, 300)):
        narrow.take(narrow.part(x[:, part], narrow.response(y[:, part])))
    expected, found = whole.result(), narrow.result()
    assert expected.cross is not None and found.pull is not None and found.cross is None and expected.pull is None
    np.testing.assert_allclose(found.pull, weight @ expected.cross, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.own, expected.own, rtol=0, atol=1e-5)
    assert found.rows == expected.rows == 300


def test_a_changed_decision_diverges_more_than_an_unimportant_class() -> None:
    reference = np.array([[8.0, 7.0, -5.0, -9.0]])
    important, unimportant = reference.copy(), reference.copy()
    important[0, 1] += 1.5
    unimportant[0, 3] += 1.5
    assert decision_divergence(reference, important) > 10 * decision_divergence(reference, unimportant)
    assert decision_divergence(reference, reference) == 0.0
    probabilities = np.array([[0.5, 0.25, 0.25]])
    assert decision_divergence(probabilities, probabilities[:, ::-1]) > 0.1
