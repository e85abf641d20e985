"""Weights as codewords, with and without error correction, beside int4 and int3, as curves of loss against bits for a weight.

    python -m benchmarks.product_quantization --models DIR --data DIR [--only NAME,...] [--rates KEY,...] [--json FILE]

The folders are those of ``benchmarks.quantization_table``. Calibration sees NAME.cal.npz only, --samples of it. A row changes
all layers that suit, the others are bytes, and so are all activations. ``alone`` is the mean over layers of the error of the
response when a layer alone is changed, on the evaluation data; accuracies are of the network that is changed as a whole,
simulated in float.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.networks import data_of, network_arguments, networks
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.errors import output_errors
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.product_quantize.rates import RATES
from edgeopt.forms.product_quantize.reconstruct import reconstruct
from edgeopt.forms.product_quantize.session import INT8, ProductPlan, ProductSession, suits
from edgeopt.forms.product_quantize.technique import ProductQuantize
from edgeopt.forms.quantize.technique import plain_session
from edgeopt.frontend import load
from edgeopt.ir import Graph, Node
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context


@dataclass
class Row:
    """A network in one form: bytes of the weights of its products, errors, percent right, seconds to solve."""

    network: str
    form: str
    stored: int
    smaller: float
    alone: float
    accuracy: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Case:
    """A network with its data and what is known of it."""

    name: str
    graph: Graph
    calibration: DataSet
    evaluation: DataSet
    session: ProductSession
    nodes: Sequence[Node]

    def row(self, form: str, overlay: Overlay, sizes: Mapping[str, int], started: float) -> Row:
        """Measure ``overlay``."""
        seconds = time.perf_counter() - started
        plain = sum(4 * node.constant(1).size for node in linear_nodes(self.graph))  # type: ignore[union-attr]
        stored = sum(sizes.values())
        alone = [self._alone(node, overlay) for node in self.nodes]
        made = outputs(self.graph, self.evaluation, overlay)
        right = metrics.accuracy(made, self.evaluation.labels) if self.evaluation.labels is not None else float("nan")
        return Row(self.name, form, stored, plain / stored, float(np.mean(alone)), right, seconds)

    def _alone(self, node: Node, overlay: Overlay) -> float:
        own = Overlay({key: array for key, array in overlay.constants.items() if key[0] == node.name})
        return output_errors(self.graph, [node.name], own, self.evaluation)[node.name]


def case(path: Path, folder: Path, samples: int) -> Case:
    """The optimised network, and ``samples`` to calibrate on; bytes by the usual recipe."""
    graph = load(path)
    optimize(graph, 1, Context(level=1))
    calibration, evaluation = data_of(path, folder, graph)
    evidence = Evidence(graph, calibration.subset(samples))
    session = ProductSession(ProductQuantize(), evidence, [*RATES, INT8], plain_session(evidence, "w8a8"))
    return Case(path.stem, graph, session.inputs, evaluation, session, [n for n in linear_nodes(graph) if suits(n)])


def measured(found: Case, rates: Sequence[str]) -> Iterator[Row]:
    """Float, bytes, int4, and every rate without and with error correction."""
    layers = [n.name for n in linear_nodes(found.graph)]
    plain = {n: 4 * node.constant(1).size for n, node in zip(layers, linear_nodes(found.graph), strict=True)}  # type: ignore[union-attr]
    yield found.row("float32", Overlay(), plain, time.perf_counter())
    started = time.perf_counter()
    bytes_ = found.session.solve({n: Form("product_quantize", INT8) for n in layers}, Overlay())
    yield found.row("int8", found.session.overlay(bytes_), found.session.sizes(bytes_), started)
    yield _int4(found, bytes_)
    for key in rates:
        for correct in (False, True):
            started = time.perf_counter()
            made = reconstruct(found.graph, found.calibration, found.nodes, RATES[key], bytes_.plan, Overlay(), correct)
            solution = ProductPlan(bytes_.plan, made)
            name = f"{key} {'corrected' if correct else 'k-means'}"
            yield found.row(name, found.session.overlay(solution), found.session.sizes(solution), started)


def _int4(found: Case, bytes_: ProductPlan) -> Row:
    """The same layers in int4, with all repairs."""
    started, narrow = time.perf_counter(), plain_session(Evidence(found.graph, found.calibration), "w4a8")
    names = [n.name for n in found.nodes]
    solution = narrow.solve({n: Form("quantize", "w4a8") for n in names}, Overlay())
    overlay, own = found.session.overlay(bytes_), narrow.overlay(solution)
    overlay.constants.update({key: array for key, array in own.constants.items() if key[0] in names})
    return found.row("int4", overlay, {**found.session.sizes(bytes_), **narrow.sizes(solution)}, started)


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "form", "kB", "smaller", "alone", "accuracy %", "seconds")
    for r in rows:
        cells = [f"{r.stored / 1e3:.1f}", f"{r.smaller:.1f}", f"{r.alone:.3f}", f"{r.accuracy:.2f}", f"{r.seconds:.1f}"]
        table.add_row(r.network, r.form, *cells)
    Console(width=120).print(table)


def main() -> None:
    """Measure and print."""
    parser = network_arguments(__doc__)
    parser.add_argument("--rates", default=",".join(RATES))
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    rows = [row for path in networks(a) for row in measured(case(path, a.data, a.samples), a.rates.split(","))]
    show(rows)
    if a.json:
        a.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
