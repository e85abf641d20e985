"""The best cuts of a network over ordered tiers: an integer program whose solution is exact.

A variable x[s, l] says that stage s runs at link l or nearer to the device, so x grows with l and falls along the edges of the
network; a stage's price on tier k is paid by x[s, k] - x[s, k - 1]. A tensor that is made at l or nearer and read beyond crosses
link l once: y >= x[producer] - x[consumer]. Where consumers are reached with different probabilities, a tensor has one y for each
probability, over all consumers reached at least so often. For sums this is a minimum cut, and the relaxation is integral
(Kang et al. 2017 cut chains; Hu et al. 2019, DADS, cut graphs between two machines). The busiest stage and a deadline make it a
true integer program. A scan over prefixes of the order of the stages would not be optimal.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.ir import Array
from edgeopt.partition.network import INPUT, Network
from edgeopt.partition.prices import Objective, Price, Rates, energy_rates, latency_rates, price
from edgeopt.partition.program import IntegerProgram, Terms
from edgeopt.partition.tiers import Tiers

Levels = list[tuple[float, int]]  # (added probability, variable): what is paid is their sum


@dataclass(frozen=True)
class Cut:
    """The tier of each stage, and what that costs."""

    placement: tuple[int, ...]
    price: Price


def best_cut(network: Network, tiers: Tiers, objective: Objective, deadline: float | None = None) -> Cut | None:
    """The placement with the least ``objective`` whose latency is at most ``deadline`` seconds; None where none is so fast."""
    model = _Model(network, len(tiers))
    latency = latency_rates(network, tiers)
    if deadline is not None:
        terms, constant = model.total(latency)
        model.program.at_most(terms, deadline - constant)
    if objective == "throughput":
        terms = model.slowest(latency)
    else:
        terms, _ = model.total(latency if objective == "latency" else energy_rates(network, tiers))
    found = model.program.minimum(terms)
    if found is None:
        return None
    placement = model.placement(found)
    return Cut(placement, price(network, tiers, placement))


class _Model:
    def __init__(self, network: Network, tiers: int) -> None:
        self.network, self.links, self.program = network, tiers - 1, IntegerProgram()
        self.near = [[self.program.choice() for _ in range(self.links)] for _ in network.stages]
        for row in self.near:
            for nearer, farther in zip(row, row[1:], strict=False):
                self.program.at_most([(nearer, 1.0), (farther, -1.0)], 0.0)
        self._keep_order()
        self.up = [[self._crossings(t.producer, t.consumers, link) for link in range(self.links)] for t in network.tensors]

    def _keep_order(self) -> None:
        edges = {(t.producer, c) for t in self.network.tensors if t.producer != INPUT for c in t.consumers}
        for producer, consumer in sorted(edges):
            for link in range(self.links):
                self.program.at_most([(self.near[consumer][link], 1.0), (self.near[producer][link], -1.0)], 0.0)

    def _crossings(self, producer: int, consumers: tuple[int, ...], link: int) -> Levels:
        """One variable for each probability with which consumers are reached: 1 when any reached at least so often is beyond."""
        reaches = self._reaches(consumers)
        levels = self._levels(reaches)
        for reach, (_, crosses) in zip(reaches, levels, strict=True):
            for consumer in consumers:
                if self.network.stages[consumer].reach >= reach:
                    self._at_least(crosses, producer, consumer, link)
        return levels

    def _reaches(self, consumers: tuple[int, ...]) -> list[float]:
        return sorted({self.network.stages[c].reach for c in consumers}, reverse=True)

    def _levels(self, reaches: list[float]) -> Levels:
        """A variable for each probability, falling, with what it adds to the next smaller one."""
        return [(high - low, self.program.share()) for high, low in zip(reaches, [*reaches[1:], 0.0], strict=False)]

    def _at_least(self, crosses: int, producer: int, consumer: int, link: int) -> None:
        """``crosses`` >= near[producer] - near[consumer]; the input is always near."""
        terms: Terms = [(self.near[consumer][link], -1.0), (crosses, -1.0)]
        if producer == INPUT:
            self.program.at_most(terms, -1.0)
        else:
            self.program.at_most([(self.near[producer][link], 1.0), *terms], 0.0)

    def total(self, rates: Rates) -> tuple[Terms, float]:
        """The terms of a sum and its constant part."""
        parts = [self._stages(rates, k) for k in range(self.links + 1)]
        parts += [self._up(rates, link) for link in range(self.links)]
        parts += [self._down(rates, link) for link in range(self.links)]
        terms = [term for some, _ in parts for term in some]
        for link, trip in enumerate(rates.round_trip):
            terms += [(v, trip * share) for share, v in self._trips(link)] if trip else []
        return terms, sum(constant for _, constant in parts)

    def slowest(self, rates: Rates) -> Terms:
        """One variable that is at least the busiest tier and direction of a link."""
        most = self.program.amount()
        parts = [self._stages(rates, k) for k in range(self.links + 1)]
        parts += [way(rates, link) for link in range(self.links) for way in (self._up, self._down)]
        for terms, constant in parts:
            self.program.at_most([*terms, (most, -1.0)], -constant)
        return [(most, 1.0)]

    def _stages(self, rates: Rates, tier: int) -> tuple[Terms, float]:
        terms, constant = [], 0.0
        for stage, prices, row in zip(self.network.stages, rates.stages, self.near, strict=True):
            paid = stage.reach * prices[tier]
            if tier < self.links:
                terms.append((row[tier], paid))
            else:
                constant += paid
            if tier > 0:
                terms.append((row[tier - 1], -paid))
        return terms, constant

    def _up(self, rates: Rates, link: int) -> tuple[Terms, float]:
        pairs = zip(self.network.tensors, self.up, strict=True)
        return [(v, rates.crossing(t, link) * share) for t, levels in pairs for share, v in levels[link]], 0.0

    def _down(self, rates: Rates, link: int) -> tuple[Terms, float]:
        terms, constant = [], 0.0
        for tensor in self.network.tensors:
            if tensor.output and tensor.producer != INPUT:
                paid = rates.down[link] * tensor.size * self.network.reach(tensor)
                terms.append((self.near[tensor.producer][link], -paid))
                constant += paid
        return terms, constant

    def _trips(self, link: int) -> Levels:
        """Variables of the round trip: 1 when anything that is needed at least so often crosses the link."""
        needs = self._needs(link)
        reaches = sorted({share for share, _ in needs}, reverse=True)
        levels = self._levels(reaches)
        for reach, (_, used) in zip(reaches, levels, strict=True):
            for share, terms in needs:
                if share >= reach:
                    self.program.at_most([*terms[0], (used, -1.0)], terms[1])
        return levels

    def _needs(self, link: int) -> list[tuple[float, tuple[Terms, float]]]:
        """(probability, (terms, bound)): a round trip is needed unless ``terms <= bound``."""
        needs: list[tuple[float, tuple[Terms, float]]] = []
        for tensor, levels in zip(self.network.tensors, self.up, strict=True):
            reaches = self._reaches(tensor.consumers)
            needs += [(reach, ([(v, 1.0)], 0.0)) for reach, (_, v) in zip(reaches, levels[link], strict=True)]
            if tensor.output and tensor.producer != INPUT:
                needs.append((self.network.reach(tensor), ([(self.near[tensor.producer][link], -1.0)], -1.0)))
        return needs

    def placement(self, found: Array) -> tuple[int, ...]:
        """The tier of each stage: the first link at which it is near."""
        return tuple(sum(bool(found[v] < 0.5) for v in row) for row in self.near)
