"""Early exits within a budget: what they save and lose over many splits of held-out samples, and the time that they really take.

    python -m benchmarks.exits --models DIR --data DIR [--only NAME,...] [--splits 20] [--max-drop 1]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.eval.npz, and NAME.train.npz or NAME.cal.npz to fit heads on. Each split
chooses exits and threshold on one half of the former and reports on the other. Times are of the first split's model on its
reported samples, against the plain model, in turns; each sample's time is the least of its rounds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.networks import network_arguments, networks
from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, read
from edgeopt.forms.exit.fitted import Candidates, Exits, insert
from edgeopt.forms.exit.threshold import Goal
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import host

TIMED, ROUNDS = 400, 5
LEVEL = 2


@dataclass(frozen=True)
class Row:
    """Of one network: means of operations and points over the splits, the share within the budget, seconds of each sample."""

    network: str
    macs: float
    loss: float
    kept: float
    plain: Sequence[float]
    early: Sequence[float]


def measured(path: Path, data: Path, goal: Goal, splits: int) -> Row | None:
    """Everything that is measured of one network; None where no exit pays in the first split."""
    graph = load(path)
    optimize(graph, LEVEL)
    candidates = Candidates(graph, _fitting(path, data, graph), read(data / f"{path.stem}.eval.npz", graph))
    found = [candidates.decide(goal, seed) for seed in range(splits)]
    if found[0] is None:
        return None
    macs = [1.0 if f is None else f.reported.macs for f in found]
    loss = [0.0 if f is None else f.reported.loss for f in found]
    samples = candidates.data.take(candidates.halves(0)[1]).subset(TIMED)
    models = assemble(graph, host(), LEVEL), assemble(_with(graph, found[0]), host(), LEVEL)
    plain, early = _times(models, samples)
    kept = float(np.mean(np.array(loss) <= goal.max_drop))
    return Row(path.stem, float(np.mean(macs)), float(np.mean(loss)), kept, plain, early)


def _fitting(path: Path, data: Path, graph: Graph) -> DataSet:
    train = data / f"{path.stem}.train.npz"
    return read(train if train.is_file() else data / f"{path.stem}.cal.npz", graph)


def _with(graph: Graph, found: Exits) -> Graph:
    made, context = clone(graph), Context(level=LEVEL)
    insert(made, found, context)
    optimize(made, LEVEL, context)
    return made


def _times(models: Sequence[CompiledModel], samples: DataSet) -> list[list[float]]:
    """Seconds of each sample on each model."""
    least = np.full((len(models), len(samples)), np.inf)
    for _ in range(ROUNDS):
        for at in range(len(samples)):
            inputs = {name: array[at : at + 1] for name, array in samples.arrays.items()}
            for which, model in enumerate(models):
                begun = time.perf_counter()
                model.run(inputs)
                least[which, at] = min(least[which, at], time.perf_counter() - begun)
    return [list(map(float, row)) for row in least]


def line(row: Row) -> str:
    """One line of the table: times in microseconds, mean and percentiles 50, 95, 99."""
    plain, early = (np.array(times) * 1e6 for times in (row.plain, row.early))
    cells = [f"{np.mean(t):.1f} / " + " / ".join(f"{np.percentile(t, p):.1f}" for p in (50, 95, 99)) for t in (plain, early)]
    faster = f"{np.mean(plain) / np.mean(early):.2f}"
    return f"| {row.network} | {row.macs:.3f} | {row.loss:.2f} | {100 * row.kept:.0f} | {cells[0]} | {cells[1]} | {faster} |"


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--max-drop", type=float, default=1.0)
    given = parser.parse_args()
    print("| network | MACs | points lost | kept % | plain µs, mean / 50 / 95 / 99 % | with exits | times faster |")
    print("|---|---|---|---|---|---|---|")
    for path in networks(given):
        row = measured(path, given.data, Goal(given.max_drop), given.splits)
        print(line(row) if row is not None else f"| {path.stem} | no exit pays | | | | | |", flush=True)


if __name__ == "__main__":
    main()
