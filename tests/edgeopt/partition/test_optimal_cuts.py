"""Of all placements that real networks and random ones of fourteen layers have on three tiers, the chosen one costs least."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings

from benchmarks.minimum_cut import fed
from benchmarks.optimal_cuts import compared, down_sets, least, least_sums
from edgeopt.partition.cut import best_cut
from edgeopt.partition.network import INPUT, Network, Stage, Tensor
from edgeopt.partition.tiers import Tiers, load_tiers
from tests.edgeopt.partition.test_cut import OBJECTIVES, networks, placements, surroundings

MODELS = sorted(Path(os.environ.get("EDGEOPT_MODELS", "/nonexistent"), "models").glob("*.onnx"))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_real_networks(path: Path) -> None:
    found = compared(path, seeds=1, most=200)
    assert found.excess < 1e-6 and found.plans == 12 and found.sets


@settings(max_examples=25, deadline=None)
@given(network=networks(most=14), tiers=surroundings())
def test_networks_of_fourteen_layers(network: Network, tiers: Tiers) -> None:
    sets = down_sets(network, 150)
    assume(sets is not None)
    assert sets is not None
    _, best = least(network, tiers, sets)
    for objective in OBJECTIVES:
        found = best_cut(network, tiers, objective)
        assert found is not None
        assert found.price.of(objective) == pytest.approx(best[objective], rel=1e-6, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(network=networks(most=14), tiers=surroundings())
def test_sums_are_minimum_cuts(network: Network, tiers: Tiers) -> None:
    assume(len(fed(network)) == len(network.stages))
    for objective, value in least_sums(network, tiers).items():
        found = best_cut(network, tiers, objective)
        assert found is not None
        assert found.price.of(objective) == pytest.approx(value, rel=1e-5, abs=1e-5)


def test_parallel_heads_are_compared_by_minimum_cuts() -> None:
    """Eight heads behind one layer have 257 down-sets, and three tiers many more placements."""
    heads = range(1, 9)
    stages = tuple(Stage(f"s{i}", (float(i + 1), 2.0, 1.0), (1.0, 0.0, 0.0)) for i in range(9))
    tensors = (Tensor("x", 9, INPUT, (0,)), Tensor("t", 4, 0, tuple(heads)), *(Tensor(f"y{i}", 2, i, (), True) for i in heads))
    network, tiers = Network(stages, tensors), load_tiers("wifi")
    sets = down_sets(network, 300)
    assert sets is not None and len(sets) == 257
    exact = least(network, tiers, sets)[1]
    assert least_sums(network, tiers) == pytest.approx({o: exact[o] for o in ("latency", "energy")}, rel=1e-6)


@given(network=networks(most=5), tiers=surroundings())
def test_nested_sets_are_all_placements(network: Network, tiers: Tiers) -> None:
    sets = down_sets(network, 1 << 5)
    assert sets is not None
    count, _ = least(network, tiers, sets)
    assert count == len(placements(network, tiers))


def test_sets_of_a_diamond() -> None:
    stages = tuple(Stage(name, (1.0,), (0.0,)) for name in "abcd")
    tensors = (Tensor("x", 1, INPUT, (0,)), Tensor("a", 1, 0, (1, 2)), Tensor("b", 1, 1, (3,)), Tensor("c", 1, 2, (3,)))
    sets = down_sets(Network(stages, tensors), 10)
    assert sets is not None
    assert [set(np.flatnonzero(s)) for s in sets] == [set(), {0}, {0, 1}, {0, 2}, {0, 1, 2}, {0, 1, 2, 3}]
    assert down_sets(Network(stages, tensors), 3) is None
