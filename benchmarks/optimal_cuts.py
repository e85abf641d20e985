"""Chosen cuts of real networks against all cuts there are.

    python -m benchmarks.optimal_cuts [MODEL.onnx ...] [--seeds 2] [--most 3000] [--shape NAME=1,512]

What runs on the first k tiers is a set of layers that needs no others (a down-set of the graph), and those of growing k contain
one another. All down-sets are enumerated, and all pairs of them, one inside the other, are priced: that is every placement on
three tiers. A sum is priced by adding what each of the two sets costs, which is compared with the price of whole placements on
a sample. Of networks with more than --most down-sets, those with many parallel heads, sums are compared with a minimum cut by
maximum flow (``benchmarks.minimum_cut``), which is as exact; the busiest stage is no cut and is left out there. Costs of layers
are random, and as large as makes cutting worthwhile; links are those of the samples. Without models, DenseNet-121 and the
networks of Neurosurgeon are cut.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from onnx import ModelProto

from benchmarks.minimum_cut import least_sum
from benchmarks.neurosurgeon_networks import NETWORKS, densenet121
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph
from edgeopt.partition.cut import best_cut
from edgeopt.partition.layer_costs import LayerCosts
from edgeopt.partition.network import INPUT, Network
from edgeopt.partition.prices import Objective, Rates, energy_rates, latency_rates, parts_of, price
from edgeopt.partition.stages import network
from edgeopt.partition.tiers import Tiers, load_tiers
from edgeopt.pipeline import optimize

OBJECTIVES: tuple[Objective, ...] = ("latency", "energy", "throughput")
LINKS = ("3g", "4g", "wifi", "ethernet")
CHECKED = 20  # placements whose price is computed both ways
FASTER = np.array((1.0, 5.0, 20.0))  # times that tiers are as fast as the device
SAME = 1e-6  # of a price, by which both may differ


@dataclass(frozen=True)
class Found:
    """Of one network: how many cuts there are, how many plans were compared, and by how much the worst was above the least.

    ``divided`` plans use several tiers. Without ``sets``, which are too many, sums were compared with minimum cuts.
    """

    stages: int
    sets: int
    placements: int
    plans: int
    divided: int
    excess: float
    seconds: float


def down_sets(made: Network, most: int) -> Array | None:
    """All sets of stages that need no other stages, bool [sets, stages]; None for more than ``most``."""
    needs = [0] * len(made.stages)
    for tensor in made.tensors:
        for consumer in tensor.consumers if tensor.producer != INPUT else ():
            needs[consumer] |= 1 << tensor.producer
    known, fresh = {0}, [0]
    while fresh:
        grown = {s | 1 << i for s in fresh for i, need in enumerate(needs) if not s >> i & 1 and need & s == need}
        fresh = sorted(grown - known)
        known |= grown
        if len(known) > most:
            return None
    return np.array([[s >> i & 1 for i in range(len(needs))] for s in sorted(known)], bool)


def least(made: Network, tiers: Tiers, sets: Array) -> tuple[int, dict[Objective, float]]:
    """(placements, the least price for each objective) over all placements on three tiers."""
    first, second = np.nonzero([(inner <= sets).all(axis=1) for inner in sets])
    prices = {o: _prices(made, tiers, o, sets, first, second) for o in OBJECTIVES}
    rng = np.random.default_rng(0)
    for at in rng.choice(len(first), min(CHECKED, len(first)), replace=False):
        placement = (2 - sets[first[at]].astype(int) - sets[second[at]]).tolist()
        true = price(made, tiers, placement)
        for objective, found in prices.items():
            np.testing.assert_allclose(found[at], true.of(objective), rtol=SAME)
    return len(first), {objective: float(found.min()) for objective, found in prices.items()}


def _prices(made: Network, tiers: Tiers, objective: Objective, sets: Array, first: Array, second: Array) -> Array:
    """Of every placement that runs ``sets[first]`` on tier 0, the rest of ``sets[second]`` on tier 1, and the rest on tier 2."""
    rates = energy_rates(made, tiers) if objective == "energy" else latency_rates(made, tiers)
    costs = np.array(rates.stages) * np.array([[s.reach] for s in made.stages])
    inside, whole = sets @ costs, costs.sum(axis=0)
    near, far = (np.array([_link(made, rates, s, link) for s in sets])[i] for link, i in enumerate((first, second)))
    computed = [inside[first, 0], inside[second, 1] - inside[first, 1], whole[2] - inside[second, 2]]
    if objective == "throughput":
        return np.asarray(np.max([*computed, *near.T[:2], *far.T[:2]], axis=0))
    return np.asarray(sum(computed) + near.sum(axis=1) + far.sum(axis=1))


def _link(made: Network, rates: Rates, inner: Array, link: int) -> tuple[float, float, float]:
    """What goes up, what comes down and the round trips over ``link``, when exactly the stages ``inner`` run in front of it."""
    _, ups, downs, trips = parts_of(made, rates, [link if near else link + 1 for near in inner])
    return ups[link], downs[link], trips[link]


def least_sums(made: Network, tiers: Tiers) -> dict[Objective, float]:
    """The least latency and energy over all placements. Raises ValueError as ``least_sum``."""
    known, rates = price(made, tiers, [0] * len(made.stages)), {"latency": latency_rates, "energy": energy_rates}
    return {o: least_sum(made, rates[o](made, tiers), known.of(o)) for o in OBJECTIVES if o != "throughput"}


def compared(model: Path | ModelProto, seeds: int, most: int, shapes: dict[str, tuple[int, ...]] | None = None) -> Found:
    """All objectives over all links with ``seeds`` costs of layers each.

    Raises ValueError for too many down-sets and layers that do not need the input.
    """
    graph = load(model, shapes)
    optimize(graph)
    plans, divided, excess, seconds, placements = 0, 0, 0.0, 0.0, 0
    sets = down_sets(priced(graph, load_tiers(LINKS[0]), 0), most)
    for seed, link in product(range(seeds), LINKS):
        tiers = load_tiers(link)
        made = priced(graph, tiers, seed)
        placements, best = (0, least_sums(made, tiers)) if sets is None else least(made, tiers, sets)
        for objective, value in best.items():
            begun = time.perf_counter()
            found = best_cut(made, tiers, objective)
            seconds += time.perf_counter() - begun
            assert found is not None
            excess, plans = max(excess, found.price.of(objective) / value - 1), plans + 1
            divided += len(set(found.placement)) > 1
    return Found(len(graph.nodes), 0 if sets is None else len(sets), placements, plans, divided, excess, seconds / max(plans, 1))


def priced(graph: Graph, tiers: Tiers, seed: int) -> Network:
    """``graph`` with random times, of which the device's are together about as long as the input takes on the first link."""
    rng = np.random.default_rng(seed)
    upload = sum(v.type.nbytes for v in graph.inputs if v.type is not None) / tiers.links[0].up
    scale = upload * 10 ** rng.uniform(-0.5, 0.5) / len(graph.nodes)
    return network(
        graph, [LayerCosts({n.name: float(scale * rng.exponential()) for n in graph.nodes}) for scale in scale / FASTER]
    )


def subjects(models: list[Path]) -> Iterator[tuple[str, Path | ModelProto]]:
    """Networks by name."""
    if models:
        yield from ((path.stem, path) for path in models)
    else:
        yield "densenet121", densenet121()
        yield from ((name, make()) for name, make in NETWORKS.items())


def cells(row: Found, most: int) -> str:
    """What the table says of a network."""
    sets = f"{row.sets} | {row.placements}" if row.sets else f"more than {most} | sums, by minimum cut"
    counts = f"{row.stages} | {sets} | {row.plans} | {row.divided}"
    return f"{counts} | {row.excess:.1e} | {row.seconds:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--most", type=int, default=3000)
    parser.add_argument("--shape", action="append", default=[], metavar="NAME=1,512", help="of an input with open dimensions")
    given = parser.parse_args()
    shapes = {name: tuple(map(int, dims.split(","))) for name, dims in (text.split("=") for text in given.shape)}
    print("| network | stages | down-sets | placements | plans | of several tiers | worst above the least | seconds a plan |")
    print("|---" * 8 + "|")
    for name, model in subjects(given.models):
        try:
            line = cells(compared(model, given.seeds, given.most, shapes), given.most)
        except (EdgeoptError, ValueError) as error:
            line = f"{error} | | | | | | "
        print(f"| {name} | {line} |", flush=True)


if __name__ == "__main__":
    main()
