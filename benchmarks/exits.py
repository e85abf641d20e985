"""Early exits within a budget: what they save and lose over many splits of held-out samples, and the time that they really take.

    python -m benchmarks.exits --models DIR --data DIR [--only NAME,...] [--splits 20] [--max-drop 1]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.eval.npz, and NAME.train.npz or NAME.cal.npz to fit heads on. Each split
chooses exits and threshold on one half of the former and reports on the other. Times are of the first split's model on its
reported samples, against the plain model, in turns, the least of the rounds: the mean is that of all samples, one after the other
in one native call; percentiles are of each sample by itself. A second row for each network has one exit only, at the first place
there is, as BranchyNet's table has for LeNet.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.networks import network_arguments, networks
from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, read
from edgeopt.forms.exit.carried_out import insert
from edgeopt.forms.exit.fitted import Candidates, Exits
from edgeopt.forms.exit.threshold import Goal
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.runtime.clock import Clock
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import host

TIMED, SINGLE, ROUNDS = 2000, 200, 7  # samples of a mean, of percentiles
LEVEL = 2


@dataclass(frozen=True)
class Row:
    """Of one network: means of operations and points over the splits, the share within the budget, exits of the first split.

    ``plain`` and ``early`` are seconds: the mean over samples, and of single samples.
    """

    network: str
    macs: float
    loss: float
    kept: float
    exits: str
    plain: tuple[float, Sequence[float]]
    early: tuple[float, Sequence[float]]


def measured(path: Path, data: Path, goal: Goal, splits: int) -> Iterator[tuple[str, Row | None]]:
    """Everything that is measured of one network, with any exits and with the first alone; None where none pays at first."""
    graph = load(path)
    optimize(graph, LEVEL)
    candidates = Candidates(graph, _fitting(path, data, graph), read(data / f"{path.stem}.eval.npz", graph), hierarchical=True)
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
    return Row(name, float(np.mean(macs)), float(np.mean(loss)), kept, _places(found[0]), *_times(models, samples))


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


def _times(models: Sequence[CompiledModel], samples: DataSet) -> list[tuple[float, Sequence[float]]]:
    """For each model the mean seconds of all samples, and those of some samples each."""
    together, few = np.full(len(models), np.inf), samples.subset(SINGLE)
    alone = np.full((len(models), len(few)), np.inf)
    clocks = [[Clock(model, few.take(slice(at, at + 1)).arrays) for at in range(len(few))] for model in models]
    for _ in range(ROUNDS):
        for which, model in enumerate(models):
            begun = time.perf_counter()
            model.run(samples.arrays)
            together[which] = min(together[which], (time.perf_counter() - begun) / len(samples))
        for which, at in np.ndindex(alone.shape):
            alone[which, at] = min(alone[which, at], clocks[which][at]())
    return [(float(mean), list(map(float, row))) for mean, row in zip(together, alone, strict=True)]


def line(row: Row) -> str:
    """One line of the table: times in microseconds, mean and percentiles 50, 95, 99."""
    cells = [
        f"{1e6 * mean:.1f} / " + " / ".join(f"{1e6 * np.percentile(times, p):.1f}" for p in (50, 95, 99))
        for mean, times in (row.plain, row.early)
    ]
    faster = f"{row.plain[0] / row.early[0]:.2f}"
    shown = f"| {row.network} | {row.exits} | {row.macs:.3f} | {row.loss:.2f} | {100 * row.kept:.0f} "
    return f"{shown}| {cells[0]} | {cells[1]} | {faster} |"


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--max-drop", type=float, default=1.0)
    given = parser.parse_args()
    print("| network | exits | MACs | points lost | kept % | plain µs, mean / 50 / 95 / 99 % | with exits | times faster |")
    print("|---|---|---|---|---|---|---|---|")
    for path in networks(given):
        for name, row in measured(path, given.data, Goal(given.max_drop), given.splits):
            print(line(row) if row is not None else f"| {name} | no exit pays | | | | | | |", flush=True)


if __name__ == "__main__":
    main()
