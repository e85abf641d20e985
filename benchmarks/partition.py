"""The experiment of Neurosurgeon (Kang et al., ASPLOS 2017): a device and a cloud server over 3G, LTE and Wi-Fi.

    python -m benchmarks.partition --models DIR --data DIR [--only NAME,...] [--max-drop 1] [--report FILE.html]

Each NAME.onnx of --models is planned for latency and for energy of the device, over the first links of the samples that ship. It
is compared with the cloud that gets the raw picture, a byte a number, and with the picture as JPEG. Where --data holds
NAME.eval.npz and NAME.cal.npz, cuts are coded and samples leave early, within --max-drop points: the column ``coded``. Times are
those of the cost model for the processors in the samples. The last table says how long plans of three tiers take.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.networks import network_arguments, networks
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.partition.cut import best_cut
from edgeopt.partition.layer_costs import LayerCosts, estimated
from edgeopt.partition.network import Network
from edgeopt.partition.plan import assumed, input_sizes, plan, with_input
from edgeopt.partition.prices import Objective, Price, price
from edgeopt.partition.stages import network
from edgeopt.partition.tiers import Tiers, load_tiers
from edgeopt.pipeline import optimize
from edgeopt.report.bars import bars
from edgeopt.report.page import document, section

LINKS = ("3g", "4g", "wifi")
OBJECTIVES: tuple[Objective, ...] = ("latency", "energy")


@dataclass(frozen=True)
class Row:
    """Seconds or joule of a network over a link: on the device, raw and as JPEG to the cloud, the best cut, also coded."""

    network: str
    link: str
    objective: Objective
    device: float
    raw: float
    jpeg: float
    best: float
    coded: float | None

    @property
    def gain(self) -> float:
        """How many times less than the cloud with the raw picture."""
        return self.raw / self.best


def two_tiers(name: str) -> Tiers:
    """The device and the cloud of a sample, with its first link between them."""
    found = load_tiers(name)
    return Tiers((found.tiers[0], found.tiers[-1]), found.links[:1])


def rows(path: Path, data: Path, max_drop: float) -> Iterator[Row]:
    """All links and objectives of one network."""
    graph = load(path)
    optimize(graph)
    costs = [estimated(graph, tier) for tier in two_tiers(LINKS[0]).tiers]
    made = network(graph, costs)
    for link in LINKS:
        tiers = two_tiers(link)
        for objective in OBJECTIVES:
            figures = _plain(graph, made, tiers, objective)
            coded = _coded(path, data, tiers, objective, max_drop)
            yield Row(path.stem, link, objective, *figures, coded)


def _plain(graph: Graph, made: Network, tiers: Tiers, objective: Objective) -> list[float]:
    """Device, raw, JPEG and the best cut, in which the input is a byte a number, too."""
    sizes = input_sizes(graph, assumed(graph))
    raw = with_input(made, next((s for n, s in sizes.items() if n.startswith("bytes")), sizes["raw"]))
    jpeg = with_input(made, next((s for n, s in sizes.items() if n.startswith("jpeg")), sizes["raw"]))
    count, best = len(made.stages), best_cut(raw, tiers, objective)
    assert best is not None
    found: list[Price] = [
        price(made, tiers, [0] * count),
        price(raw, tiers, [1] * count),
        price(jpeg, tiers, [1] * count),
        best.price,
    ]
    return [p.of(objective) for p in found]


def _coded(path: Path, data: Path, tiers: Tiers, objective: Objective, max_drop: float) -> float | None:
    evaluation, calibration = (data / f"{path.stem}.{part}.npz" for part in ("eval", "cal"))
    if not evaluation.is_file() or not calibration.is_file():
        return None
    for exits in (True, False):
        try:
            found = plan(path, tiers, objective, data=evaluation, calibration=calibration, max_drop=max_drop, exits=exits)
            return found.cut.price.of(objective)
        except EdgeoptError:  # a network without a place to leave it, or data that it was trained on
            continue
    return None


def planning(path: Path) -> tuple[str, int, float, float]:
    """(name, stages, seconds of a plan for a sum, for the busiest stage) on three tiers, least of three; costs are made up."""
    graph = load(path)
    optimize(graph)
    rng = np.random.default_rng(0)
    costs = [LayerCosts({n.name: float(rng.uniform(0.2, 2.0)) * 10.0 ** -(3 + k) for n in graph.nodes}) for k in range(3)]
    made, tiers, taken = network(graph, costs), load_tiers("wifi"), []
    for objective in ("latency", "throughput"):
        least = np.inf
        for _ in range(3):
            begun = time.perf_counter()
            best_cut(made, tiers, objective)
            least = min(least, time.perf_counter() - begun)
        taken.append(float(least))
    return path.stem, len(made.stages), taken[0], taken[1]


def summary(found: Sequence[Row]) -> list[str]:
    """Geometric means over networks and links."""
    made = []
    for objective in OBJECTIVES:
        mine = [row for row in found if row.objective == objective]
        gain, jpeg = (_mean([getattr(r, other) / r.best for r in mine]) for other in ("raw", "jpeg"))
        coded = [r.best / r.coded for r in mine if r.coded is not None]
        more = f"; coded and with exits another {_mean(coded):.2f} times less ({len(coded)} cases)" if coded else ""
        arithmetic = np.mean([r.gain for r in mine])
        made.append(
            f"{objective}: {gain:.2f} times less than the cloud with the raw picture (arithmetic mean {arithmetic:.2f}), "
            f"{jpeg:.2f} times less than with JPEG{more}"
        )
    return made


def _mean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def table(found: Sequence[Row]) -> str:
    """One line for each network, link and objective: milliseconds, or millijoule."""
    lines = [
        "| network | link | of | device | raw to cloud | JPEG to cloud | best cut | coded | times less than raw |",
        "|---" * 9 + "|",
    ]
    for r in found:
        coded = "" if r.coded is None else f"{1e3 * r.coded:.2f}"
        cells = " | ".join(f"{1e3 * value:.2f}" for value in (r.device, r.raw, r.jpeg, r.best))
        lines.append(f"| {r.network} | {r.link} | {r.objective} | {cells} | {coded} | {r.gain:.2f} |")
    return "\n".join(lines)


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


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--report", type=Path)
    given: argparse.Namespace = parser.parse_args()
    found = [row for path in networks(given) for row in rows(path, given.data, given.max_drop)]
    print(table(found), *summary(found), sep="\n")
    print("| network | stages | plan of 3 tiers, latency s | throughput s |\n|---|---|---|---|")
    for path in networks(given):
        name, stages, total, slowest = planning(path)
        print(f"| {name} | {stages} | {total:.3f} | {slowest:.3f} |")
    if given.report:
        given.report.write_text(page(found))


if __name__ == "__main__":
    main()
