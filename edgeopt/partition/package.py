"""A plan on disk: ``plan.json`` and one compiled model for each part of each placement that may become the best.

Parts that several placements share are compiled once. plan.json is written last, so that it never names a part that is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edgeopt.assembly import SYMBOL, assemble
from edgeopt.codegen.backends import NUMBA, Backend
from edgeopt.codegen.identifiers import library_name
from edgeopt.files import replacing
from edgeopt.forms.exit.carried_out import Exit, insert_into_part
from edgeopt.ir import TensorType
from edgeopt.partition.codes.wire import write_codes
from edgeopt.partition.early import Early
from edgeopt.partition.identity import identity
from edgeopt.partition.network import Network
from edgeopt.partition.parts import Parts, parts
from edgeopt.partition.plan import Plan, changed
from edgeopt.partition.prices import crossing, latency_rates, price, returning
from edgeopt.partition.projected import projected
from edgeopt.partition.shipped import FILE, FORMAT
from edgeopt.pipeline import finish
from edgeopt.rewrite import Context
from edgeopt.target import target as find_target


@dataclass(frozen=True)
class Variant:
    """One placement that is shipped: the folder of each part by its tier, and the names of what goes up and down each link.

    ``beyond`` are the seconds that everything behind the first link is expected to compute for a sample that is sent. ``early``
    names, for each output of the model, the output of the device's part that holds the answer of its last exit.
    """

    placement: Mapping[str, str]
    parts: Mapping[str, str]
    up: tuple[tuple[str, ...], ...]
    down: tuple[tuple[str, ...], ...]
    beyond: float
    early: Mapping[str, str]


def save_plan(plan: Plan, folder: Path, most: int = 3, level: int = 1, backend: Backend = NUMBA) -> list[Variant]:
    """Compile the chosen cut and those that are best most often in the table, ``most`` in all, and write ``folder``.

    The code of all parts is that of ``backend``.

    Raises EdgeoptError for a part that cannot be lowered, and as ``CompiledModel.save`` does.
    """
    names = [tier.name for tier in plan.tiers.tiers]
    compiled: dict[tuple[str, tuple[str, ...]], str] = {}
    chosen = placements(plan, most)
    known = {} if plan.coding is None else {name: found.code for name, found in plan.coding.chosen.items()}
    cuts, codes = projected(
        [parts(plan.graph, placement, names) for placement in chosen], names[0], known, _relayed(plan, chosen)
    )
    variants = [
        _variant(plan, placement, _compiled(plan, cut, folder, compiled, level, backend))
        for placement, cut in zip(chosen, cuts, strict=True)
    ]
    sent = {name for variant in variants for link in variant.up for name in link}
    written = write_codes(folder, {name: code for name, code in codes.items() if name in sent})
    ways = [(variant.parts, variant.up, variant.down) for variant in variants]
    mark = identity(folder, compiled.values(), [written, ways, [tier.name for tier in plan.tiers.tiers]])
    with replacing(folder / FILE) as stream:
        record = {**_record(plan, variants, most), "codes": written, "identity": mark}
        stream.write(json.dumps(record, indent=1).encode())
    return variants


def _relayed(plan: Plan, chosen: list[tuple[int, ...]]) -> set[str]:
    """The tensors that cross several links in one of the placements."""
    links = range(len(plan.tiers.links))
    pairs = [(tensor, placement) for tensor in plan.network.tensors for placement in chosen]
    return {t.name for t, placement in pairs if sum(crossing(plan.network, t, placement, link) > 0 for link in links) > 1}


def placements(plan: Plan, most: int) -> list[tuple[int, ...]]:
    """The chosen placement, those that are best for the most rows of the table, ``most`` in all, and all on the device.

    The last is what the device does when no other machine answers.
    """
    counts = Counter(row.cut.placement for row in plan.table)
    alone = (0,) * len(plan.network.stages)
    wanted = [plan.cut.placement, *(placement for placement, _ in counts.most_common())]
    chosen = [placement for placement in dict.fromkeys(wanted) if placement != alone][:most]
    return [alone, *chosen] if plan.cut.placement == alone else [*chosen, alone]


def exits_of(plan: Plan) -> tuple[Exit, ...]:
    """What samples of ``plan`` leave by; a network that was cut short has another end instead."""
    return () if plan.leaving is None or plan.leaving.ends else plan.leaving.exits.exits


def _variant(plan: Plan, placement: tuple[int, ...], made: dict[str, str]) -> Variant:
    where = {node.name: plan.tiers.tiers[tier].name for node, tier in zip(plan.graph.nodes, placement, strict=True)}
    links, whole = range(len(plan.tiers.links)), _whole(plan)
    up = tuple(tuple(t.name for t in whole.tensors if crossing(whole, t, placement, link)) for link in links)
    down = tuple(tuple(t.name for t in whole.tensors if returning(whole, t, placement, link)) for link in links)
    tiers = dict(zip((out.name for node in plan.graph.nodes for out in node.outputs), _by_output(plan, placement), strict=True))
    places, leaves = [tiers[one.value] for one in exits_of(plan)], _leaves(plan)
    down = tuple((*names, leaves) if names and max(places, default=0) > link else names for link, names in enumerate(down))
    names = (plan.graph.outputs[0].name, leaves) if 0 in places and any(placement) else ()
    return Variant(where, made, up, down, _beyond(plan, placement), dict(zip(names, names, strict=True)))


def _by_output(plan: Plan, placement: tuple[int, ...]) -> list[int]:
    """The tier that computes each output of the nodes."""
    return [tier for node, tier in zip(plan.graph.nodes, placement, strict=True) for _ in node.outputs]


def _leaves(plan: Plan) -> str:
    return Early(plan.graph.outputs[0].name, ()).leaves


def _whole(plan: Plan) -> Network:
    """The network when every stage is reached, without the answers of exits."""
    known = {v.name for v in (*plan.graph.inputs, *(out for node in plan.graph.nodes for out in node.outputs))}
    stages = tuple(replace(stage, reach=1.0) for stage in plan.network.stages)
    return Network(stages, tuple(t for t in plan.network.tensors if t.name in known))


def _beyond(plan: Plan, placement: tuple[int, ...]) -> float:
    """Expected seconds behind the first link, of samples that get there."""
    stages = zip(plan.network.stages, latency_rates(plan.network, plan.tiers).stages, placement, strict=True)
    sent = [(stage.reach, prices[tier]) for stage, prices, tier in stages if tier]
    first = max((reach for reach, _ in sent), default=1.0) or 1.0
    return sum(reach / first * seconds for reach, seconds in sent)


def _compiled(
    plan: Plan, cut: Parts, folder: Path, compiled: dict[tuple[str, tuple[str, ...]], str], level: int, backend: Backend
) -> dict[str, str]:
    """The folder of each part, compiled unless it is known by its tier and nodes."""
    targets = {tier.name: tier.target for tier in plan.tiers.tiers}
    keys = {name: (name, tuple(node.name for node in graph.nodes)) for name, graph in cut.graphs.items()}
    for name, graph in cut.graphs.items():
        key = keys[name]
        if key not in compiled:
            library, target = library_name(name), find_target(targets[name])
            alike = sum(library_name(tier) == library for tier, _ in compiled)  # "a b" and "a.b" have one library's name
            compiled[key] = f"{library}-{alike}.edgeopt"
            insert_into_part(graph, exits_of(plan), plan.graph.outputs[0].name, level)
            finish(graph, Context(level=level))
            made = assemble(graph, target, level, None, f"{SYMBOL}_{library}", not target.runs_here, backend=backend)
            made.save(folder / compiled[key])
    return {name: compiled[key] for name, key in keys.items()}


def _record(plan: Plan, variants: list[Variant], most: int) -> dict[str, object]:
    return {
        "format": FORMAT,
        "objective": plan.objective,
        "tiers": [asdict(tier) for tier in plan.tiers.tiers],
        "links": [asdict(link) for link in plan.tiers.links],
        "inputs": [value.name for value in plan.graph.inputs],
        "outputs": [value.name for value in plan.graph.outputs],
        "tensors": _types(plan, variants),
        "exits": [one.value for one in exits_of(plan)],
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
    types = {name: values[name].type for name in sorted(named - {_leaves(plan)})}
    numbers = {_leaves(plan): TensorType("int64", (1,))} if exits_of(plan) else {}
    return {name: {"dtype": t.dtype, "shape": list(t.dims)} for name, t in {**types, **numbers}.items() if t is not None}


def _rows(plan: Plan, shipped: list[tuple[int, ...]]) -> Iterator[dict[str, object]]:
    """What to run at each rate and load, of what is shipped: the best there when it is, else the cheapest of the others."""
    for row in plan.table:
        there = changed(plan.tiers, row.rate, row.load)
        prices = [price(plan.network, there, placement) for placement in shipped]
        best = min(range(len(shipped)), key=lambda i: prices[i].of(plan.objective))
        yield {"rate": row.rate, "load": row.load, "variant": best, **asdict(prices[best])}
