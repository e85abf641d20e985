"""What the page of a plan shows, as JSON: figures, what happens when, and what comes of other rates of the first link."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt import __version__
from edgeopt.forms.exit.fitted import Exits
from edgeopt.forms.exit.threshold import Operating
from edgeopt.partition.cut import best_cut
from edgeopt.partition.network import Network, Placement
from edgeopt.partition.plan import RATES, Plan, changed, input_sizes, with_input
from edgeopt.partition.prices import Price, latency_rates, parts_of, price
from edgeopt.partition.tiers import Tiers
from edgeopt.report.record import VERSION, Record
from edgeopt.report.timeline import Part

Way = tuple[str, Callable[[Tiers], tuple[Network, Placement]]]  # its name, and what it does between these tiers


def record_of(plan: Plan, title: str) -> Record:
    """The record of ``plan`` for the model called ``title``: seconds, joule, Mbit/s."""
    figures = {f"best {plan.objective}": plan.cut.price, **plan.baselines}
    moments = [{"way": name, "parts": _parts(plan.tiers, *way(plan.tiers))} for name, way in ways(plan)]
    return {
        "report": VERSION,
        "edgeopt": __version__,
        "kind": "plan",
        "title": title,
        "tiers": [tier.name for tier in plan.tiers.tiers],
        "objective": plan.objective,
        "figures": [{"placement": name, **_figures(found)} for name, found in figures.items()],
        "moments": moments,
        "exits": None if plan.leaving is None or plan.leaving.ends else _exits(plan.leaving.exits),
        "rates": _over_rates(plan) if len(plan.tiers) > 1 else None,
    }


def ways(plan: Plan) -> list[Way]:
    """Ours, the device alone, and the input sent raw and coded as others do to each of the other tiers."""
    count = len(plan.network.stages)

    def ours(tiers: Tiers) -> tuple[Network, Placement]:
        cut = best_cut(plan.network, tiers, plan.objective)
        return plan.network, plan.cut.placement if tiers is plan.tiers or cut is None else cut.placement

    made: list[Way] = [("ours", ours), (f"{plan.tiers.tiers[0].name} only", _always(plan.plain, [0] * count))]
    for name, size in input_sizes(plan.graph, plan.uploads).items():
        sent = with_input(plan.plain, size)
        for place, tier in enumerate(plan.tiers.tiers[1:], 1):
            made.append((f"{name.split(' (')[0]} to {tier.name}", _always(sent, [place] * count)))
    return made


def _always(network: Network, placement: Placement) -> Callable[[Tiers], tuple[Network, Placement]]:
    return lambda _: (network, placement)


def _figures(found: Price) -> dict[str, float]:
    return {"latency": found.latency, "energy": found.energy, "slowest": found.slowest}


def _exits(exits: Exits) -> Record:
    """Points lost, and their bound, over all thresholds, on the samples that chose one."""
    curve = [_lost(point) for point in sorted(exits.curve, key=lambda p: p.macs)]
    return {"curve": curve, "threshold": exits.chosen.threshold, "chosen": _lost(exits.chosen)}


def _lost(point: Operating) -> dict[str, float]:
    return {"macs": point.macs, "loss": point.loss, "bound": point.bound}


def _over_rates(plan: Plan) -> Record:
    """Of each way (Mbit/s of the first link, seconds, joule)."""
    link = plan.tiers.links[0]
    curves: dict[str, list[tuple[float, float, float]]] = {}
    for rate in RATES:
        tiers = changed(plan.tiers, rate, 1.0)
        for name, way in ways(plan):
            network, placement = way(tiers)
            found = price(network, tiers, placement)
            curves.setdefault(name, []).append((8e-6 * rate * link.up, found.latency, found.energy))
    return {"link": link.name, "curves": [{"way": name, "points": points} for name, points in curves.items()]}


def _parts(tiers: Tiers, network: Network, placement: Placement) -> list[Part]:
    """Computing, sending, computing and so on, then all results on their way back, with the round trips of the links."""
    own, ups, downs, trips = parts_of(network, latency_rates(network, tiers), placement)
    made: list[Part] = [(tiers.tiers[0].name, own[0])]
    for tier, link, seconds, up, trip in zip(tiers.tiers[1:], tiers.links, own[1:], ups, trips, strict=True):
        made += [(f"{link.name}, sending", up), (f"{link.name}, round trip", trip), (tier.name, seconds)]
    return [*made, ("results", sum(downs))]
