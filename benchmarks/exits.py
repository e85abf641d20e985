"""Early exits within a budget: what they save and lose over many splits of held-out samples, and the time that they really take.

    python -m benchmarks.exits --models DIR --data DIR [--only NAME,...] [--splits 20] [--max-drop 1] [--confidence KIND] [--flat]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.eval.npz, and NAME.train.npz or NAME.cal.npz to fit heads on. Each split
chooses exits and threshold on one half of the former and reports on the other. Times are of the first split's model on its
reported samples, against the plain model, in turns, the least of the rounds: the mean is that of all samples, one after the other
in native calls of some milliseconds; percentiles are of each sample by itself. A second row for each network has one exit only,
at the first place there is, as BranchyNet's table has for LeNet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.networks import network_arguments, networks
from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, read
from edgeopt.forms.exit.carried_out import insert
from edgeopt.forms.exit.confidence import KINDS
from edgeopt.forms.exit.fitted import MARGIN, Candidates, Exits
from edgeopt.forms.exit.threshold import Goal
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.latency import Latency, latencies
from edgeopt.target import host

TIMED, SINGLE, ROUNDS = 2000, 200, 7  # samples of a mean, of percentiles
LEVEL = 2


@dataclass(frozen=True)
class Row:
    """Of one network: means of operations and points over the splits, the share within the budget, exits of the first split

    and the latency of that, beside the ``plain`` model's.
    """

    network: str
    macs: float
    loss: float
    kept: float
    exits: str
    plain: Latency
    early: Latency


def measured(path: Path, data: Path, goal: Goal, splits: int, kind: str, heard: bool) -> Iterator[tuple[str, Row | None]]:
    """Everything that is measured of one network, with any exits and with the first alone; None where none pays at first."""
    graph = load(path)
    optimize(graph, LEVEL)
    held = read(data / f"{path.stem}.eval.npz", graph)
    candidates = Candidates(graph, _fitting(path, data, graph), held, confidence=kind, hierarchical=heard)
    for name, sets in ((path.stem, None), (f"{path.stem}, first place", [(0,)])):
        yield name, _row(name, candidates, goal, splits, sets)


def _row(name: str, candidates: Candidates, goal: Goal, splits: int, sets: list[tuple[int, ...]] | None) -> Row | None:
    found = [candidates.decide(goal, seed, sets) for seed in range(splits)]
    if found[0] is None:
        return None
    macs = [1.0 if f is None else f.reported.macs for f in found]
    loss = [0.0 if f is None else f.reported.loss for f in found]
    samples = candidates.data.take(candidates.halves(0)[1]).subset(TIMED)
    graph, kept = candidates.graph, float(np.mean(np.array(loss) <= goal.max_drop))
    models = assemble(graph, host(), LEVEL), assemble(_with(graph, found[0]), host(), LEVEL)
    plain, early = latencies(models, samples, SINGLE, ROUNDS)
    return Row(name, float(np.mean(macs)), float(np.mean(loss)), kept, _places(found[0]), plain, early)


def _places(found: Exits) -> str:
    """Depth, features and share of each exit."""
    rows = zip(found.exits, found.depths, found.reported.shares, strict=False)
    return ", ".join(f"{100 * share:.0f} % at {depth:.2f} ({exit_.features})" for exit_, depth, share in rows)


def _fitting(path: Path, data: Path, graph: Graph) -> DataSet:
    train = data / f"{path.stem}.train.npz"
    return read(train if train.is_file() else data / f"{path.stem}.cal.npz", graph)


def _with(graph: Graph, found: Exits) -> Graph:
    made, context = clone(graph), Context(level=LEVEL)
    insert(made, found.exits, context)
    optimize(made, LEVEL, context)
    return made


def line(row: Row) -> str:
    """One line of the table: times in microseconds, mean and percentiles 50, 95, 99."""
    cells = [
        " / ".join(f"{1e6 * seconds:.1f}" for seconds in (latency.mean, *latency.percentiles))
        for latency in (row.plain, row.early)
    ]
    faster = f"{row.plain.mean / row.early.mean:.2f}"
    shown = f"| {row.network} | {row.exits} | {row.macs:.3f} | {row.loss:.2f} | {100 * row.kept:.0f} "
    return f"{shown}| {cells[0]} | {cells[1]} | {faster} |"


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--confidence", choices=tuple(KINDS), default=MARGIN)
    parser.add_argument("--flat", action="store_true", help="no exit hears the one before it")
    given = parser.parse_args()
    print("| network | exits | MACs | points lost | kept % | plain µs, mean / 50 / 95 / 99 % | with exits | times faster |")
    print("|---|---|---|---|---|---|---|---|")
    goal = Goal(given.max_drop)
    for path in networks(given):
        for name, row in measured(path, given.data, goal, given.splits, given.confidence, not given.flat):
            print(line(row) if row is not None else f"| {name} | no exit pays | | | | | | |", flush=True)


if __name__ == "__main__":
    main()
