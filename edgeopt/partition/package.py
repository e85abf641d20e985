"""A plan on disk: ``plan.json`` and one compiled model for each part of each placement that may become the best.

Parts that several placements share are compiled once. plan.json is written last, so that it never names a part that is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeopt.assembly import SYMBOL, assemble
from edgeopt.codegen.identifiers import library_name
from edgeopt.files import replacing
from edgeopt.partition.codes.wire import write_codes
from edgeopt.partition.parts import Parts, parts
from edgeopt.partition.plan import Plan, changed
from edgeopt.partition.prices import crossing, latency_rates, price, returning
from edgeopt.partition.shipped import FILE, FORMAT
from edgeopt.target import target as find_target


@dataclass(frozen=True)
class Variant:
    """One placement that is shipped: the folder of each part by its tier, and the names of what goes up and down each link.

    ``beyond`` are the seconds that everything behind the first link is expected to compute.
    """

    placement: Mapping[str, str]
    parts: Mapping[str, str]
    up: tuple[tuple[str, ...], ...]
    down: tuple[tuple[str, ...], ...]
    beyond: float


def save_plan(plan: Plan, folder: Path, most: int = 3, level: int = 1) -> list[Variant]:
    """Compile the chosen cut and those that are best most often in the table, ``most`` in all, and write ``folder``.

    Raises EdgeoptError for a part that cannot be lowered, and as ``CompiledModel.save`` does.
    """
    names = [tier.name for tier in plan.tiers.tiers]
    compiled: dict[tuple[str, tuple[str, ...]], str] = {}
    variants = [
        _variant(plan, placement, _compiled(plan, parts(plan.graph, placement, names), folder, compiled, level))
        for placement in placements(plan, most)
    ]
    codes = {} if plan.coding is None else {name: found.code for name, found in plan.coding.chosen.items()}
    sent = {name for variant in variants for link in variant.up for name in link}
    written = write_codes(folder, {name: code for name, code in codes.items() if name in sent})
    with replacing(folder / FILE) as stream:
        stream.write(json.dumps({**_record(plan, variants, most), "codes": written}, indent=1).encode())
    return variants


def placements(plan: Plan, most: int) -> list[tuple[int, ...]]:
    """The chosen placement, those that are best for the most rows of the table, ``most`` in all, and all on the device.

    The last is what the device does when no other machine answers.
    """
    counts = Counter(row.cut.placement for row in plan.table)
    alone = (0,) * len(plan.network.stages)
    wanted = [plan.cut.placement, *(placement for placement, _ in counts.most_common())]
    chosen = [placement for placement in dict.fromkeys(wanted) if placement != alone][:most]
    return [alone, *chosen] if plan.cut.placement == alone else [*chosen, alone]


def _variant(plan: Plan, placement: tuple[int, ...], made: dict[str, str]) -> Variant:
    where = {node.name: plan.tiers.tiers[tier].name for node, tier in zip(plan.graph.nodes, placement, strict=True)}
    links, tensors = range(len(plan.tiers.links)), plan.network.tensors
    up = tuple(tuple(t.name for t in tensors if crossing(plan.network, t, placement, link)) for link in links)
    down = tuple(tuple(t.name for t in tensors if returning(plan.network, t, placement, link)) for link in links)
    rates = latency_rates(plan.network, plan.tiers)
    beyond = sum(prices[tier] for prices, tier in zip(rates.stages, placement, strict=True) if tier)
    return Variant(where, made, up, down, beyond)


def _compiled(
    plan: Plan, cut: Parts, folder: Path, compiled: dict[tuple[str, tuple[str, ...]], str], level: int
) -> dict[str, str]:
    """The folder of each part, compiled unless it is known by its tier and nodes."""
    targets = {tier.name: tier.target for tier in plan.tiers.tiers}
    for name, graph in cut.graphs.items():
        key = (name, tuple(node.name for node in graph.nodes))
        if key not in compiled:
            compiled[key] = f"{library_name(name)}-{sum(tier == name for tier, _ in compiled)}.edgeopt"
            target = find_target(targets[name])
            made = assemble(graph, target, level, None, f"{SYMBOL}_{library_name(name)}", not target.runs_here)
            made.save(folder / compiled[key])
    return {name: compiled[name, tuple(node.name for node in graph.nodes)] for name, graph in cut.graphs.items()}


def _record(plan: Plan, variants: list[Variant], most: int) -> dict[str, object]:
    return {
        "format": FORMAT,
        "objective": plan.objective,
        "tiers": [asdict(tier) for tier in plan.tiers.tiers],
        "links": [asdict(link) for link in plan.tiers.links],
        "inputs": [value.name for value in plan.graph.inputs],
        "outputs": [value.name for value in plan.graph.outputs],
        "tensors": _types(plan, variants),
        "price": asdict(plan.cut.price),
        "baselines": {name: asdict(found) for name, found in plan.baselines.items()},
        "variants": [asdict(variant) for variant in variants],
        "table": list(_rows(plan, placements(plan, most))),
    }


def _types(plan: Plan, variants: list[Variant]) -> dict[str, dict[str, object]]:
    """The element type and shape of what crosses a link, comes in or goes out."""
    links = [link for variant in variants for link in (*variant.up, *variant.down)]
    named = {name for link in links for name in link} | {value.name for value in (*plan.graph.inputs, *plan.graph.outputs)}
    values = {v.name: v for v in (*plan.graph.inputs, *(out for node in plan.graph.nodes for out in node.outputs))}
    types = {name: values[name].type for name in sorted(named)}
    return {name: {"dtype": t.dtype, "shape": list(t.dims)} for name, t in types.items() if t is not None}


def _rows(plan: Plan, shipped: list[tuple[int, ...]]) -> Iterator[dict[str, object]]:
    """What to run at each rate and load, of what is shipped: the best there when it is, else the cheapest of the others."""
    for row in plan.table:
        there = changed(plan.tiers, row.rate, row.load)
        prices = [price(plan.network, there, placement) for placement in shipped]
        best = min(range(len(shipped)), key=lambda i: prices[i].of(plan.objective))
        yield {"rate": row.rate, "load": row.load, "variant": best, **asdict(prices[best])}
