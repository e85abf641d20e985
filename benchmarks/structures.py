"""Rewrites of structure on real networks: accuracy against work, form by form, and what a search makes of each technique.

    python -m benchmarks.structures --models DIR --data DIR [--only NAME,...] [--forms NAME,...] [--max-drop PP] [--json FILE]

Folders are those of ``benchmarks.separation``. A row changes all layers, or modules, that can have the form, or those that -O3
--forms NAME chooses inside --max-drop: then it also says how much faster an inference is. --samples calibrate, --images judge. A
network without ``labels`` is judged by how often it decides as before.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.networks import data_of, network_arguments, networks
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import EXACT, Evidence, named
from edgeopt.forms.registry import techniques
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.macs import macs
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.goal import Goal
from edgeopt.search.run import approximate
from edgeopt.search.space import Space, merged
from edgeopt.target import host

FORMS = ("group", "fire_module", "inverted_bottleneck")
LEVEL = 2


@dataclass
class Row:
    """A network in one form: changed layers or modules, share of the work that is left and accuracy, both in percent.

    ``seconds`` (before, after) are those of what a search has chosen.
    """

    network: str
    form: str
    changed: int
    work: float
    accuracy: float
    seconds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Case:
    """An optimised network with its data, and how often it is right as it is."""

    name: str
    graph: Graph
    calibration: DataSet
    evaluation: DataSet

    def right(self, overlay: Overlay) -> float:
        """Percent right; of a network without labels, percent of decisions that are as before."""
        found = outputs(self.graph, self.evaluation, overlay)
        if self.evaluation.labels is not None:
            return metrics.accuracy(found, self.evaluation.labels)
        return metrics.agreement(found, outputs(self.graph, self.evaluation))


def open_case(path: Path, folder: Path, samples: int, images: int) -> Case:
    """The network of ``path``."""
    graph = load(path)
    optimize(graph, LEVEL, Context(level=LEVEL))
    calibration, evaluation = data_of(path, folder, graph)
    return Case(path.stem, graph, calibration.subset(samples), evaluation.subset(images))


def uniform(case: Case, name: str) -> Iterator[Row]:
    """Every form of a technique, on all that can have it."""
    technique = techniques()[name]
    if reason := technique.obstacle(case.graph):
        print(f"{case.name}, {name}: {reason}", flush=True)
        return
    session = technique.open(Evidence(case.graph, case.calibration), technique.form_keys())
    space, whole = Space(case.graph, Goal(host(), LEVEL), [session]), _work(case.graph)
    for choice in space.uniform()[1:]:
        forms = {layer: found for layer, found in space.all_in(choice).items() if found != EXACT}
        solved = space.solve(forms)
        left = 100 * _work(space.carried_out(solved)) / whole
        yield Row(case.name, named(choice), len(forms), left, case.right(merged(solved)))


def searched(case: Case, name: str, max_drop: float) -> Iterator[Row]:
    """What -O3 chooses of a technique."""
    budget = Budget(case.evaluation, case.calibration, max_drop, name)
    made, found = approximate(clone(case.graph), budget, Context(level=3), host())
    if found is not None:
        seconds = (found.costs["float32"].seconds, found.costs["result"].seconds) if found.changed else None
        left = 100 * _work(made) / _work(case.graph)
        yield Row(case.name, f"searched: {name}", len(found.changed), left, found.after, seconds)


def _work(graph: Graph) -> int:
    return sum(macs(node) or 0 for node in graph.nodes)


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "form", "changed", "MACs left, %", "accuracy, %", "times as fast")
    for r in rows:
        faster = f"{r.seconds[0] / r.seconds[1]:.2f}" if r.seconds else ""
        table.add_row(r.network, r.form, str(r.changed), f"{r.work:.1f}", f"{r.accuracy:.2f}", faster)
    Console(width=120).print(table)


def main() -> None:
    """Measure and print."""
    parser = network_arguments(__doc__)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--max-drop", type=float, default=2.0)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    rows = [row for path in networks(a) for row in measured(path, a)]
    show(rows)
    if a.json:
        a.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")


def measured(path: Path, given: argparse.Namespace) -> Iterator[Row]:
    """The exact network, its forms, and what searches choose."""
    case = open_case(path, given.data, given.samples, given.images)
    yield Row(case.name, "float32", 0, 100.0, case.right(Overlay()))
    for name in given.forms.split(","):
        yield from _told(uniform(case, name))
        if not techniques()[name].obstacle(case.graph):
            yield from _told(searched(case, name, given.max_drop))


def _told(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        print(row, flush=True)
        yield row


if __name__ == "__main__":
    main()
