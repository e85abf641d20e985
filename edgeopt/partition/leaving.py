"""Early exits in a plan: what lies behind one is reached, computed and sent only with some probability.

Exits and cut are chosen together: of all sets of exits within their budget the one whose best cut is cheapest (Teerapittayanon et
al., DDNN, 2017). Where no placement of the whole network keeps a deadline, the network ends at the exit that is right most often
among those that do (Li et al., Edgent, 2018, right-sizing).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgeopt.forms.exit.carried_out import shortened
from edgeopt.forms.exit.fitted import Candidates, Exits, Option
from edgeopt.forms.exit.threshold import Goal
from edgeopt.ir import Graph
from edgeopt.ops.macs import macs
from edgeopt.partition.cut import Cut
from edgeopt.partition.layer_costs import LayerCosts
from edgeopt.partition.network import Network, Stage, Tensor
from edgeopt.partition.prices import Objective
from edgeopt.partition.stages import network as network_of

Cutting = Callable[[Network], Cut | None]


@dataclass(frozen=True)
class Leaving:
    """The ``exits`` of a plan; ``ends`` names the value behind which nothing is computed, where the network was cut short.

    ``accuracy`` and ``before`` are percent on samples that chose nothing, with and without.
    """

    exits: Exits
    ends: str = ""

    @property
    def accuracy(self) -> float:
        """Of what is answered."""
        return self.exits.reported.accuracies[0] if self.ends else self.exits.reported.accuracy

    @property
    def before(self) -> float:
        """Of the whole network."""
        return self.exits.before


def with_leaving(network: Network, graph: Graph, points: Sequence[str], shares: Sequence[float], work: Sequence[int]) -> Network:
    """``network`` whose stages behind the values ``points`` are reached less often: ``shares`` of all samples leave at each.

    A head of ``work`` multiply-accumulates runs with the stage that makes its value, as fast as the network does on average; its
    answer goes back to the first tier whether it is taken or not, which counts a little too much.
    """
    places = {out.name: index for index, node in enumerate(graph.nodes) for out in node.outputs}
    total = sum(macs(node) or 0 for node in graph.nodes) or 1
    sums = [[sum(getattr(s, what)[k] for s in network.stages) for k in range(len(network.stages[0].seconds))] for what in COSTS]
    stages, tensors, reach = list(network.stages), list(network.tensors), 1.0
    answer = min((t.size for t in network.tensors if t.output), default=0.0)
    for name, share, done in zip(points, shares, work, strict=True):
        place = places[name]
        stages[place] = _longer(stages[place], sums, done / total)
        tensors.append(Tensor(f"{name}.answer", answer, place, (), True))
        reach = max(0.0, reach - share)
        stages[place + 1 :] = [replace(stage, reach=reach) for stage in stages[place + 1 :]]
    return Network(tuple(stages), tuple(tensors))


COSTS = ("seconds", "joule")


def _longer(stage: Stage, sums: Sequence[Sequence[float]], share: float) -> Stage:
    def more(what: str, total: Sequence[float]) -> tuple[float, ...]:
        return tuple(a + share * b for a, b in zip(getattr(stage, what), total, strict=True))

    return replace(stage, seconds=more(COSTS[0], sums[0]), joule=more(COSTS[1], sums[1]))


def leaving(
    network: Network, candidates: Candidates, goal: Goal, cutting: Cutting, objective: Objective
) -> tuple[Network, Leaving] | None:
    """The exits within ``goal`` whose best cut costs least, and the network with them; None where it is best without."""
    plain = cutting(network)
    best, found = None if plain is None else plain.price.of(objective), None
    for option in candidates.options(goal):
        made = _network(network, candidates, option)
        cut = cutting(made)
        if cut is not None and (best is None or cut.price.of(objective) < best):
            best, found = cut.price.of(objective), (made, option)
    return None if found is None else (found[0], Leaving(candidates.described(found[1])))


def right_sized(network: Network, candidates: Candidates, cutting: Cutting) -> tuple[Network, Leaving] | None:
    """The network that ends at the exit which is right most often of those for which there is a cut; None without any."""
    found: list[tuple[float, Network, Leaving]] = []
    for number in range(len(candidates.points)):
        exits = candidates.described(candidates.always(number))
        made = _network(network, candidates, candidates.always(number))
        if cutting(made) is not None:
            found.append((exits.chosen.accuracies[0], made, Leaving(exits, candidates.points[number].value.name)))
    best = max(found, key=lambda f: f[0], default=None)
    return None if best is None else best[1:]


def cut_short(graph: Graph, costs: Sequence[LayerCosts], left: Leaving) -> tuple[Graph, Network]:
    """``graph`` that ends in the head where ``left`` says so, and its network, whose last stage before the head pays for it."""
    short, (head,), (last,) = shortened(graph, left.exits.exits[0]), left.exits.heads, left.exits.exits
    plain = network_of(short, costs)
    return short, Network(with_leaving(plain, short, [last.value], [0.0], [head.work]).stages, plain.tensors)


def _network(network: Network, candidates: Candidates, option: Option) -> Network:
    names = [candidates.points[i].value.name for i in option.exits]
    work = [candidates.heads[i].work for i in option.exits]
    return with_leaving(network, candidates.graph, names, option.point.shares[:-1], work)
