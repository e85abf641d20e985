"""Whole channels taken away until a share of the work is left: what it costs in accuracy, and what it gains in time.

    python -m benchmarks.channels --models DIR --data DIR [--only NAME,...] [--left PERCENT ...] [--json FILE]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.eval.npz and NAME.cal.npz (one array per input, ``labels``): channels
are chosen and layers fitted on the second file, accuracies are of the first. Groups of layers lose channels where that adds least
error at the output of the network for the time that it saves by the cost model of this machine (``time``; whole vectors of it
stay), or for the multiply-accumulates (``work``; any four channels may go), until at most PERCENT of these are left. Times are
least ones of one thread, before and after in turn; onnxruntime runs the same graphs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.networks import data_of, network_arguments, networks, reported
from benchmarks.peers import random_inputs
from edgeopt.assembly import SYMBOL, assemble
from edgeopt.cost import estimate
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.examine.engines import Inference, onnxruntime
from edgeopt.forms.form import EXACT, Choice, Evidence
from edgeopt.forms.structure.prune_channels import LEAST, PRUNE_CHANNELS
from edgeopt.frontend import load
from edgeopt.frontend.onnx_export import save
from edgeopt.ir import Graph
from edgeopt.lower.lowering import lower
from edgeopt.lower.select import channels_at_once
from edgeopt.lower.table import kernels_for
from edgeopt.ops.macs import macs
from edgeopt.pipeline import optimize
from edgeopt.runtime.clock import Clock as native
from edgeopt.search.budget import Candidate, ladder
from edgeopt.search.candidates import candidates
from edgeopt.search.goal import Goal
from edgeopt.search.space import Space
from edgeopt.target import host

LEVEL, SECONDS = 2, 1.5
Forms = Mapping[str, Choice]
Clock = Callable[[], float]  # the seconds of an inference


@dataclass(frozen=True)
class Row:
    """One network narrowed one way: percent of the work left, percent right before and after, times as fast as before."""

    network: str
    by: str
    left: float
    before: float
    after: float
    faster: float
    onnxruntime_faster: float


def work(graph: Graph) -> float:
    """Multiply-accumulates."""
    return float(sum(macs(node) or 0 for node in graph.nodes))


def narrowed(space: Space, known: Sequence[Candidate[Choice]], left: float) -> Forms:
    """Everything as narrow as it can be, widened where most error goes for the cost, while at most ``left`` of the work stays."""
    narrowest = {n: min((c for c in known if c.layer == n), key=lambda c: c.cost).form for n in space.layers}
    most, forms = left * work(space.graph), narrowest
    for step in ladder(narrowest, known):
        wider = {**forms, step.layer: step.form}
        if work(space.carried_out(space.rough(wider))) <= most:
            forms = wider
    return forms


def seconds(graph: Graph) -> float:
    """The time of an inference as the cost model has it, which is the same in each run."""
    return estimate(lower(graph, host(), SYMBOL, kernels_for(LEVEL)), graph, host()).seconds


def priced(space: Space, known: Sequence[Candidate[Choice]], price: Callable[[Graph], float]) -> list[Candidate[Choice]]:
    """The candidates with the price of a network in which that layer alone changes as their cost."""
    exact = dict.fromkeys(space.layers, EXACT)
    return [replace(c, cost=price(space.carried_out(space.rough({**exact, c.layer: c.form})))) for c in known]


def speed_ups(before: Graph, after: Graph) -> tuple[float, float]:
    """How much faster ``after`` is, with our code and in onnxruntime: of least times, all in turn."""
    with tempfile.TemporaryDirectory() as folder:
        clocks: dict[str, Clock] = {}
        for name, graph in (("before", before), ("after", after)):
            path = Path(folder) / f"{name}.onnx"
            save(graph, path)
            inputs = random_inputs(path)
            clocks[name] = native(assemble(graph, host(), LEVEL), inputs)
            clocks[f"{name} ort"] = _clock(onnxruntime(path, inputs, 1))
        least, end = dict.fromkeys(clocks, float("inf")), time.perf_counter() + SECONDS * len(clocks)
        while time.perf_counter() < end:
            least = {name: min(least[name], clock()) for name, clock in clocks.items()}
    return least["before"] / least["after"], least["before ort"] / least["after ort"]


def _clock(run: Inference) -> Clock:
    def seconds() -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    return seconds


def rows(path: Path, folder: Path, shares: Sequence[float]) -> Iterator[Row]:
    """The network of ``path``, narrowed to each of ``shares`` of its work."""
    graph = load(path)
    optimize(graph, LEVEL)
    calibration, evaluation = data_of(path, folder, graph)
    before = _accuracy(graph, evaluation)
    for by, price, vector in (("time", seconds, channels_at_once(host())), ("work", work, LEAST)):
        session = PRUNE_CHANNELS.open(Evidence(graph, calibration, vector=vector), PRUNE_CHANNELS.form_keys())
        space = Space(graph, Goal(host(), LEVEL, objective="latency"), [session])
        with_prices = priced(space, candidates(space), price)
        for share in shares:
            made = space.carried_out(space.solve(narrowed(space, with_prices, share)))
            left, after = 100 * work(made) / work(graph), _accuracy(made, evaluation)
            yield Row(path.stem, by, left, before, after, *speed_ups(graph, made))


def _accuracy(graph: Graph, data: DataSet) -> float:
    assert data.labels is not None
    return metrics.accuracy(outputs(graph, data), data.labels)


def markdown(found: list[Row]) -> str:
    """One line per row."""
    heads = ("network", "chosen by", "work left, %", "% right", "after", "times as fast", "in onnxruntime")
    lines = [f"| {' | '.join(heads)} |", "|" + len(heads) * "---|"]
    for r in found:
        numbers = f"{r.left:.0f} | {r.before:.1f} | {r.after:.1f} | {r.faster:.2f} | {r.onnxruntime_faster:.2f}"
        lines.append(f"| {r.network} | {r.by} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--left", type=float, nargs="+", default=[70.0], help="percent of the multiply-accumulates")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    paths = [path for path in networks(given) if (given.data / f"{path.stem}.eval.npz").exists()]
    shares = [percent / 100 for percent in given.left]
    reported((row for path in paths for row in rows(path, given.data, shares)), markdown, given.json)


if __name__ == "__main__":
    main()
