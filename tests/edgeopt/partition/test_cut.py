"""The chosen cut is the best of all placements, for every objective, on random networks, tiers and links."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.partition.cut import best_cut
from edgeopt.partition.network import INPUT, Network, Stage, Tensor, follows
from edgeopt.partition.prices import Objective, price
from edgeopt.partition.tiers import Link, Tier, Tiers

OBJECTIVES: tuple[Objective, ...] = ("latency", "energy", "throughput")
few = st.integers(0, 20).map(float)
some = st.integers(1, 20).map(float)


@st.composite
def networks(draw: st.DrawFn, most: int = 7, tiers: int = 3) -> Network:
    count = draw(st.integers(1, most))
    reaches = sorted(draw(st.lists(st.sampled_from((1.0, 1.0, 0.5, 0.25)), min_size=count, max_size=count)), reverse=True)
    times = st.tuples(*[few] * tiers)
    stages = tuple(Stage(f"s{i}", draw(times), draw(times), reaches[i]) for i in range(count))
    tensors = [Tensor("x", draw(st.integers(1, 20)), INPUT, tuple(draw(st.sets(st.integers(0, count - 1), min_size=1))))]
    for i in range(count):
        readers = draw(st.sets(st.integers(i + 1, count - 1), max_size=3)) if i + 1 < count else set()
        tensors.append(Tensor(f"t{i}", draw(st.integers(1, 20)), i, tuple(sorted(readers)), not readers or draw(st.booleans())))
    return Network(stages, tuple(tensors))


@st.composite
def surroundings(draw: st.DrawFn, tiers: int = 3) -> Tiers:
    machines = [Tier(f"m{i}", "host", draw(some), draw(few), draw(few), draw(st.booleans())) for i in range(tiers)]
    links = [
        Link(f"l{i}", draw(some), draw(some), draw(few), draw(few), draw(few), draw(st.sampled_from((1.0, 0.5))))
        for i in range(tiers - 1)
    ]
    return Tiers(tuple(machines), tuple(links))


def placements(network: Network, tiers: Tiers) -> list[tuple[int, ...]]:
    every = itertools.product(range(len(tiers)), repeat=len(network.stages))
    return [placement for placement in every if follows(network, placement)]


@pytest.mark.parametrize("objective", OBJECTIVES)
@given(network=networks(), tiers=surroundings())
def test_is_the_best_of_all(objective: Objective, network: Network, tiers: Tiers) -> None:
    least = min(price(network, tiers, p).of(objective) for p in placements(network, tiers))
    found = best_cut(network, tiers, objective)
    assert found is not None and follows(network, found.placement)
    assert found.price == price(network, tiers, found.placement)
    assert found.price.of(objective) == pytest.approx(least, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
@given(network=networks(most=6), tiers=surroundings(), slack=st.sampled_from((0.9, 1.0, 1.3)))
def test_keeps_a_deadline_or_says_that_none_can(objective: Objective, network: Network, tiers: Tiers, slack: float) -> None:
    prices = [price(network, tiers, p) for p in placements(network, tiers)]
    deadline = slack * min(p.latency for p in prices) + 1e-6
    allowed = [p.of(objective) for p in prices if p.latency <= deadline]
    found = best_cut(network, tiers, objective, deadline)
    if not allowed:
        assert found is None
    else:
        assert found is not None and found.price.latency <= deadline + 1e-6
        assert found.price.of(objective) == pytest.approx(min(allowed), rel=1e-6, abs=1e-6)


def test_a_tensor_read_twice_crosses_once() -> None:
    stages = tuple(Stage(name, (1.0, 0.0), (0.0, 0.0)) for name in "abc")
    network = Network(stages, (Tensor("x", 100, INPUT, (0,)), Tensor("a", 8, 0, (1, 2)), Tensor("b", 1, 1, (), True)))
    tiers = Tiers((Tier("device", "host"), Tier("server", "host")), (Link("wire", 8.0, 8.0),))
    assert price(network, tiers, (0, 1, 1)).latency == pytest.approx(1 + 8 / 8 + 1 / 8)
