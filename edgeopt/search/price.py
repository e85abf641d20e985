"""What is to be small, as a number of a layer or a network, and in words."""

from __future__ import annotations

from edgeopt.search.goal import Objective
from edgeopt.search.timing import LayerCost, Profile

MORE: dict[Objective, str] = {
    "latency": "be slower",
    "size": "be larger",
    "memory": "take more RAM",
    "energy": "take more energy",
}


def price(cost: LayerCost | Profile, objective: Objective) -> float:
    """Seconds, bytes of constants, bytes of RAM for activations, or joule of an inference."""
    if objective == "size":
        return float(cost.stored if isinstance(cost, LayerCost) else cost.weights)
    if objective == "memory":
        return float(cost.ram)
    return cost.joule if objective == "energy" else cost.seconds


def shown(profile: Profile, objective: Objective) -> str:
    """The price of a network in words."""
    units = {"latency": (1e3, "ms"), "size": (1e-3, "kB"), "memory": (1e-3, "kB of RAM"), "energy": (1e6, "µJ")}
    factor, unit = units[objective]
    return f"{factor * price(profile, objective):.3g} {unit}"


def worse_than(simple: Profile, other: Profile, objective: Objective) -> str:
    """How much ``other`` takes against ``simple``, in words, when that is more; else empty."""
    more = price(other, objective) > price(simple, objective)
    return f"{shown(other, objective)} against {shown(simple, objective)} without" if more else ""
