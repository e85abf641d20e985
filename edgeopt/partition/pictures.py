"""A plan in pictures: what happens when, and latency and energy against the rate of the first link."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from edgeopt.forms.exit.fitted import Exits
from edgeopt.partition.cut import best_cut
from edgeopt.partition.network import Network, Placement
from edgeopt.partition.plan import RATES, Plan, changed, input_sizes, with_input
from edgeopt.partition.prices import Price, latency_rates, parts_of, price
from edgeopt.partition.tiers import Tiers
from edgeopt.report.lines import Axis, Curve, lines
from edgeopt.report.page import document, section, table
from edgeopt.report.timeline import Part, timeline

Way = tuple[str, Callable[[Tiers], tuple[Network, Placement]]]  # its name, and what it does between these tiers


def report(plan: Plan, title: str) -> str:
    """The page of ``plan`` for the model called ``title``."""
    names = " - ".join(tier.name for tier in plan.tiers.tiers)
    body = [f"<h1>{escape(title)}</h1>", f'<p class="about">{escape(names)}, least {plan.objective}</p>']
    figures: Mapping[str, Price] = {f"best {plan.objective}": plan.cut.price, **plan.baselines}
    rows = [(name, *_cells(price)) for name, price in figures.items()]
    body.append(section("Figures", table(("placement", "latency ms", "energy mJ", "inferences/s"), rows, {1, 2, 3})))
    moments = [(name, _parts(plan.tiers, *way(plan.tiers))) for name, way in ways(plan)]
    body.append(section("When what happens", timeline(moments)))
    if plan.leaving is not None and not plan.leaving.ends:
        body.append(section("Accuracy against operations", exit_curve(plan.leaving.exits)))
    if len(plan.tiers) > 1:
        body += [section(heading, picture) for heading, picture in over_rates(plan)]
    return document(title, body)


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


def exit_curve(exits: Exits) -> str:
    """Points lost, and their bound, against the share of operations, over all thresholds, on the samples that chose one."""
    points = sorted(exits.curve, key=lambda p: p.macs)
    curves = [Curve("lost", [(p.macs, p.loss) for p in points]), Curve("bound of 95 %", [(p.macs, p.bound) for p in points])]
    chosen = exits.chosen
    curves.append(Curve(f"chosen: {chosen.threshold:.3f}", [(chosen.macs, chosen.loss), (chosen.macs, chosen.bound)]))
    return lines(curves, Axis("share of the multiply-accumulates"), Axis("percentage points"))


def _cells(price: Price) -> tuple[str, str, str]:
    return f"{1e3 * price.latency:,.3f}", f"{1e3 * price.energy:,.3f}", f"{1 / (price.slowest or 1e-9):,.1f}"


def over_rates(plan: Plan) -> list[tuple[str, str]]:
    """(heading, picture) of latency and energy against the rate of the first link, in Mbit/s."""
    link = plan.tiers.links[0]
    curves: dict[str, list[tuple[float, Price]]] = {}
    for rate in RATES:
        tiers = changed(plan.tiers, rate, 1.0)
        for name, way in ways(plan):
            network, placement = way(tiers)
            curves.setdefault(name, []).append((8e-6 * rate * link.up, price(network, tiers, placement)))
    across = Axis(f"{link.name}, Mbit/s up", True)
    latency = [Curve(name, [(r, 1e3 * p.latency) for r, p in row]) for name, row in curves.items()]
    energy = [Curve(name, [(r, 1e3 * p.energy) for r, p in row if p.energy > 0]) for name, row in curves.items()]
    made = [("Latency against the rate of the link", lines(latency, across, Axis("ms", True)))]
    if any(curve.points for curve in energy):
        made.append(("Energy of the device against the rate of the link", lines(energy, across, Axis("mJ", True))))
    return made


def _parts(tiers: Tiers, network: Network, placement: Placement) -> Sequence[Part]:
    """Computing, sending, computing and so on, then all results on their way back, with the round trips of the links."""
    own, ups, downs, trips = parts_of(network, latency_rates(network, tiers), placement)
    made: list[Part] = [(tiers.tiers[0].name, own[0])]
    for tier, link, seconds, up, trip in zip(tiers.tiers[1:], tiers.links, own[1:], ups, trips, strict=True):
        made += [(f"{link.name}, sending", up), (f"{link.name}, round trip", trip), (tier.name, seconds)]
    return [*made, ("results", sum(downs))]
