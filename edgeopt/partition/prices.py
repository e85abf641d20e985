"""What a placement costs: latency, energy of the tiers with a battery, and the longest stage of the pipeline.

Sums are without overlap: an inference computes, sends, computes, and gets its results back. A tensor crosses a link once however
many stages read it beyond; it is paid with the probability that any of these is reached. A round trip is paid once for each link
in use. What a link loses is sent again, so that everything on it takes 1 / availability. Throughput is bounded by the busiest of
the tiers and of the two directions of each link.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from edgeopt.partition.network import Network, Placement, Tensor
from edgeopt.partition.tiers import Tiers

Objective = Literal["latency", "energy", "throughput"]


@dataclass(frozen=True)
class Rates:
    """Prices of a sum: ``stages[s][t]`` of a stage on a tier, a byte up and down each link, and a round trip over it.

    ``coding`` are those of a second of coding in front of and behind each link.
    """

    stages: tuple[tuple[float, ...], ...]
    up: tuple[float, ...]
    down: tuple[float, ...]
    round_trip: tuple[float, ...]
    coding: tuple[tuple[float, float], ...]

    def crossing(self, tensor: Tensor, link: int) -> float:
        """What ``tensor`` costs on its way up over ``link``."""
        near, far = self.coding[link]
        coded = near * tensor.coding[link] + far * tensor.coding[link + 1] if tensor.coding else 0.0
        return self.up[link] * tensor.size + coded


@dataclass(frozen=True)
class Price:
    """``latency`` in seconds, ``energy`` in joule, ``slowest`` the seconds of the busiest tier or link."""

    latency: float
    energy: float
    slowest: float

    def of(self, objective: Objective) -> float:
        """The figure that ``objective`` wants small."""
        return {"latency": self.latency, "energy": self.energy, "throughput": self.slowest}[objective]


def latency_rates(network: Network, tiers: Tiers) -> Rates:
    """Seconds."""
    return Rates(
        tuple(tuple(s * tier.load for s, tier in zip(stage.seconds, tiers.tiers, strict=True)) for stage in network.stages),
        tuple(1 / (link.up * link.availability) for link in tiers.links),
        tuple(1 / (link.down * link.availability) for link in tiers.links),
        tuple(link.round_trip / link.availability for link in tiers.links),
        tuple((near.load, far.load) for near, far in pairwise(tiers.tiers)),
    )


def energy_rates(network: Network, tiers: Tiers) -> Rates:
    """Joule of the tiers with a battery: computing, sending and receiving, and waiting for all the others."""
    seconds = latency_rates(network, tiers)
    waiting = [tier.idle_watts if tier.battery else 0.0 for tier in tiers.tiers]
    idle = sum(waiting)

    def own(place: int) -> float:
        tier = tiers.tiers[place]
        return (tier.watts if tier.battery else 0.0) + idle - waiting[place]

    def stage(index: int, place: int) -> float:
        tier, time = tiers.tiers[place], seconds.stages[index][place]
        own = (tier.watts * time if tier.watts else network.stages[index].joule[place]) if tier.battery else 0.0
        return own + (idle - waiting[place]) * time

    senders = zip(tiers.links, tiers.tiers[:-1], strict=True)
    radios = [(link.up_watts, link.down_watts) if tier.battery else (0.0, 0.0) for link, tier in senders]
    return Rates(
        tuple(tuple(stage(i, k) for k in range(len(tiers))) for i in range(len(network.stages))),
        tuple((up + idle) * s for (up, _), s in zip(radios, seconds.up, strict=True)),
        tuple((down + idle) * s for (_, down), s in zip(radios, seconds.down, strict=True)),
        tuple(idle * s for s in seconds.round_trip),
        tuple((own(k) * near, own(k + 1) * far) for k, (near, far) in enumerate(seconds.coding)),
    )


def price(network: Network, tiers: Tiers, placement: Placement) -> Price:
    """All three figures of ``placement``, which must move data outwards only."""
    latency, energy = latency_rates(network, tiers), energy_rates(network, tiers)
    stages, ups, downs, _ = parts_of(network, latency, placement)
    return Price(_total(network, latency, placement), _total(network, energy, placement), max(*stages, *ups, *downs, 0.0))


def crossing(network: Network, tensor: Tensor, placement: Placement, link: int) -> float:
    """The probability that ``tensor`` goes up over ``link``; 0 when no stage beyond reads it."""
    if tensor.producer >= 0 and placement[tensor.producer] > link:
        return 0.0
    return max((network.stages[c].reach for c in tensor.consumers if placement[c] > link), default=0.0)


def returning(network: Network, tensor: Tensor, placement: Placement, link: int) -> float:
    """The probability that ``tensor`` comes down over ``link`` as a result."""
    made = tensor.output and tensor.producer >= 0 and placement[tensor.producer] > link
    return network.reach(tensor) if made else 0.0


def _total(network: Network, rates: Rates, placement: Placement) -> float:
    stages, ups, downs, trips = parts_of(network, rates, placement)
    return sum(stages) + sum(ups) + sum(downs) + sum(trips)


def parts_of(network: Network, rates: Rates, placement: Placement) -> tuple[list[float], list[float], list[float], list[float]]:
    """Sums over the stages of each tier, and over what goes up, what comes down and the round trips of each link."""
    tiers = [0.0] * (len(rates.up) + 1)
    for stage, prices, place in zip(network.stages, rates.stages, placement, strict=True):
        tiers[place] += stage.reach * prices[place]
    ups, downs, trips = [], [], []
    for link, (down, trip) in enumerate(zip(rates.down, rates.round_trip, strict=True)):
        there = [(rates.crossing(t, link), crossing(network, t, placement, link)) for t in network.tensors]
        back = [(t.size, returning(network, t, placement, link)) for t in network.tensors]
        ups.append(sum(paid * share for paid, share in there))
        downs.append(down * sum(size * share for size, share in back))
        trips.append(trip * max([share for _, share in (*there, *back)], default=0.0))
    return tiers, ups, downs, trips
