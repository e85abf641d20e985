"""The experiment of Neurosurgeon (Kang et al., ASPLOS 2017): a device and a cloud server over 3G, LTE and Wi-Fi.

    python -m benchmarks.partition [--models DIR --data DIR] [--only NAME,...] [--max-drop 1] [--device TARGET]

The networks of the paper with random weights, or each NAME.onnx of --models, are planned for latency and for energy, over
the first links of the samples that ship. They are compared with the cloud that gets the raw input, a byte a number for pictures,
and with the picture as JPEG. Where --data holds NAME.eval.npz and NAME.cal.npz, cuts are coded and samples leave early, within
--max-drop points: the column ``coded``, with the points lost on samples that chose nothing. Times are those of the cost model for
the processors in the samples. The last line says how long plans of three tiers take for DenseNet-121.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from onnx import ModelProto

from benchmarks.networks import networks
from benchmarks.neurosurgeon_networks import NETWORKS, densenet121
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph
from edgeopt.partition.cut import best_cut
from edgeopt.partition.layer_costs import LayerCosts
from edgeopt.partition.network import Network
from edgeopt.partition.plan import Plan, assumed, input_sizes, plan, with_input
from edgeopt.partition.prices import Objective, price
from edgeopt.partition.stages import network
from edgeopt.partition.subject import Subject, subject
from edgeopt.partition.tiers import Tiers, load_tiers
from edgeopt.report.bars import bars
from edgeopt.report.page import document, section

LINKS = ("3g", "4g", "wifi")
OBJECTIVES: tuple[Objective, ...] = ("latency", "energy")


@dataclass(frozen=True)
class Row:
    """Seconds or joule of a network over a link: on the device, raw and as JPEG to the cloud, the best cut, also coded.

    ``lost`` are the points that codes and exits of the latter cost.
    """

    network: str
    link: str
    objective: Objective
    device: float
    raw: float
    jpeg: float
    best: float
    coded: float | None
    lost: float

    @property
    def gain(self) -> float:
        """How many times less than the cloud with the raw input."""
        return self.raw / self.best


def two_tiers(name: str, device: str = "") -> Tiers:
    """The device and the cloud of a sample, with its first link between them; ``device`` is another processor for the former."""
    found = load_tiers(name)
    first = replace(found.tiers[0], target=device) if device else found.tiers[0]
    return Tiers((first, found.tiers[-1]), found.links[:1])


def rows(name: str, known: Subject, max_drop: float, device: str = "") -> Iterator[Row]:
    """All links and objectives of one network."""
    made = network(known.graph, [known.costs(tier) for tier in two_tiers(LINKS[0], device).tiers])
    for link in LINKS:
        tiers = two_tiers(link, device)
        for objective in OBJECTIVES:
            figures = _plain(known.graph, made, tiers, objective)
            coded = _coded(known, tiers, objective, max_drop)
            spent, lost = (None, 0.0) if coded is None else (coded.cut.price.of(objective), _lost(coded))
            yield Row(name, link, objective, *figures, spent, lost)


def _plain(graph: Graph, made: Network, tiers: Tiers, objective: Objective) -> tuple[float, float, float, float]:
    """Device, raw, JPEG and the best cut, in which the input is a byte a number, too."""
    sizes = input_sizes(graph, assumed(graph))
    raw = with_input(made, next((s for n, s in sizes.items() if n.startswith("bytes")), sizes["raw"]))
    jpeg = with_input(made, next((s for n, s in sizes.items() if n.startswith("jpeg")), sizes["raw"]))
    count, best = len(made.stages), best_cut(raw, tiers, objective)
    assert best is not None
    device, far, packed = price(made, tiers, [0] * count), price(raw, tiers, [1] * count), price(jpeg, tiers, [1] * count)
    return device.of(objective), far.of(objective), packed.of(objective), best.price.of(objective)


def _coded(known: Subject, tiers: Tiers, objective: Objective, max_drop: float) -> Plan | None:
    """The cheaper of the plans with exits and without, both coded; None without data."""
    if known.samples is None:
        return None
    found = [plan(known, tiers, objective, max_drop=max_drop)]
    try:
        found.append(plan(known, tiers, objective, max_drop=max_drop, exits=True))
    except EdgeoptError as error:  # a network without a place to leave it, or data that it was trained on
        print(f"without exits: {error}", file=sys.stderr)
    return min(found, key=lambda made: made.cut.price.of(objective))


def _lost(made: Plan) -> float:
    exits = 0.0 if made.leaving is None else made.leaving.before - made.leaving.accuracy
    return exits + (0.0 if made.coding is None else made.coding.loss.points)


def planning(model: ModelProto | Path) -> tuple[int, dict[Objective, tuple[float, float]]]:
    """(stages, least seconds of a plan by objective, by the clock and of the processor) on three tiers; costs are made up."""
    graph = subject(model).graph
    rng = np.random.default_rng(0)
    costs = [LayerCosts({n.name: float(rng.uniform(0.2, 2.0)) * 10.0 ** -(3 + k) for n in graph.nodes}) for k in range(3)]
    made, tiers = network(graph, costs), load_tiers("wifi")
    taken = {o: [_seconds(made, tiers, o) for _ in range(5)] for o in (*OBJECTIVES, "throughput")}
    return len(made.stages), {o: (min(wall for wall, _ in t), min(own for _, own in t)) for o, t in taken.items()}


def _seconds(made: Network, tiers: Tiers, objective: Objective) -> tuple[float, float]:
    begun = time.perf_counter(), time.process_time()
    best_cut(made, tiers, objective)
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def summary(found: Sequence[Row]) -> Iterator[str]:
    """Means over networks and links."""
    for objective in OBJECTIVES:
        mine = [row for row in found if row.objective == objective]
        gain, jpeg = (_mean([getattr(r, other) / r.best for r in mine]) for other in ("raw", "jpeg"))
        gains = [r.gain for r in mine]
        saved = 100 * float(np.mean([1 - r.best / r.raw for r in mine]))
        yield (
            f"{objective}: {np.mean(gains):.2f} times less than the cloud with the raw input (median {np.median(gains):.2f}, "
            f"geometric mean {gain:.2f}), {saved:.1f} % less on average; geometric mean {jpeg:.2f} times less than JPEG"
        )
        coded = [r for r in mine if r.coded is not None]
        if coded:
            more, raw = (_mean([getattr(r, other) / (r.coded or 1.0) for r in coded]) for other in ("best", "raw"))
            lost = f"{np.mean([r.lost for r in coded]):.2f} points lost, at most {max(r.lost for r in coded):.2f}"
            yield f"{objective}: coded and with exits {more:.2f} times less than the best cut, {raw:.2f} less than raw; {lost}"


def _mean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def head() -> str:
    """The first lines of the table: milliseconds, or millijoule."""
    columns = "network | link | of | device | raw to cloud | JPEG to cloud | best cut | coded | points lost | times less than raw"
    return f"| {columns} |\n" + "|---" * 10 + "|"


def line(r: Row) -> str:
    """One line for each network, link and objective."""
    coded = " | " if r.coded is None else f"{1e3 * r.coded:.2f} | {r.lost:.2f}"
    cells = " | ".join(f"{1e3 * value:.2f}" for value in (r.device, r.raw, r.jpeg, r.best))
    return f"| {r.network} | {r.link} | {r.objective} | {cells} | {coded} | {r.gain:.2f} |"


def page(found: Sequence[Row]) -> str:
    """Bars of the raw upload beside the best cut, for each objective."""
    body = ["<h1>Device and cloud</h1>"]
    for objective, unit in (("latency", "ms"), ("energy", "mJ")):
        mine = [r for r in found if r.objective == objective]
        shown = [
            (f"{r.network}, {r.link}", 1e3 * r.raw, 1e3 * (r.best if r.coded is None else min(r.best, r.coded))) for r in mine
        ]
        body.append(section(f"{objective}: raw picture to the cloud (grey), ours (coloured)", bars(shown, unit)))
    return document("Device and cloud", body)


def subjects(given: argparse.Namespace) -> Iterator[tuple[str, Subject]]:
    """The networks by name, one after the other, since each takes much memory."""
    if given.models is None:
        wanted = given.only.split(",") if given.only else NETWORKS
        yield from ((name, subject(NETWORKS[name]())) for name in wanted)
        return
    for path in networks(given):
        parts = [given.data / f"{path.stem}.{part}.npz" for part in ("eval", "cal")] if given.data else []
        known = all(part.is_file() for part in parts)
        yield path.stem, subject(path, None, Path(), *(parts if known else ()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", help="names of networks, separated by commas")
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--device", default="", metavar="TARGET", help="the processor of the device, in place of the samples'")
    parser.add_argument("--report", type=Path)
    given = parser.parse_args()
    found = []
    print(head())
    for name, known in subjects(given):
        begun = time.perf_counter()
        for row in rows(name, known, given.max_drop, given.device):
            found.append(row)
            print(line(row), flush=True)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    print(*summary(found), sep="\n")
    stages, taken = planning(densenet121())
    figures = ", ".join(f"{o} {wall:.3f} s ({own:.3f} s of a processor)" for o, (wall, own) in taken.items())
    print(f"DenseNet-121, {stages} stages on three tiers, is planned in: {figures}")
    if given.report:
        given.report.write_text(page(found))


if __name__ == "__main__":
    main()
