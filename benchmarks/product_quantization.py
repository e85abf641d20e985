"""Weights as codewords, with and without error correction, beside int4 and int3, as curves of loss against bits for a weight.

    python -m benchmarks.product_quantization --models DIR --data DIR [--only NAME,...] [--rates KEY,...] [--json FILE]

The folders are those of ``benchmarks.quantization_table``. Calibration sees NAME.cal.npz only, --samples of it. A row changes
all layers that suit, the others are bytes, and so are all activations. ``bits`` are those of all that is stored for a weight,
codebooks and scales included. ``alone`` is the mean over layers of the error of the response when a layer alone is changed, on
100 samples of the evaluation data; accuracies are of the network that is changed as a whole, simulated in float, and ``loss`` is
in percentage points. Behind the table the smallest form of each network that loses at most --max-drop, and what error correction
takes of the loss of k-means.
"""

from __future__ import annotations

import json
import sys
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
from edgeopt.forms.product_quantize.rates import RATES, Rate
from edgeopt.forms.product_quantize.reconstruct import reconstruct
from edgeopt.forms.product_quantize.session import INT8, ProductPlan, ProductSession, suits
from edgeopt.forms.product_quantize.technique import ProductQuantize
from edgeopt.forms.quantize.recipe import Recipe
from edgeopt.forms.quantize.technique import Quantize, QuantizeSession, plain_session
from edgeopt.frontend import load
from edgeopt.ir import Graph, Node
from edgeopt.ops.grid import QuantizationScheme
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context

ALL = {"k128c8": Rate(1, 8, 128), "k64c4": Rate(1, 4, 64), **RATES}  # tables of 64 and more entries are for curves only
RESPONSES = 100  # samples that the errors of single layers are measured on
NARROW = (QuantizationScheme("w4a8", weights="int4"), QuantizationScheme("w3a8", weights="int3"))


@dataclass
class Row:
    """A network in one form: bytes of the weights of its products, errors, percent right, seconds to solve."""

    network: str
    form: str
    stored: int
    bits: float
    smaller: float
    alone: float
    accuracy: float
    loss: float
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
    exact: float

    def row(self, form: str, overlay: Overlay, sizes: Mapping[str, int], started: float) -> Row:
        """Measure ``overlay``."""
        seconds = time.perf_counter() - started
        plain = sum(4 * node.constant(1).size for node in linear_nodes(self.graph))  # type: ignore[union-attr]
        stored = sum(sizes.values())
        alone = [self._alone(node, overlay) for node in self.nodes]
        right = _right(self.graph, self.evaluation, overlay)
        bits, loss = 32 * stored / plain, self.exact - right
        return Row(self.name, form, stored, bits, plain / stored, float(np.mean(alone)), right, loss, seconds)

    def _alone(self, node: Node, overlay: Overlay) -> float:
        own = Overlay({key: array for key, array in overlay.constants.items() if key[0] == node.name})
        return output_errors(self.graph, [node.name], own, self.evaluation.subset(RESPONSES))[node.name]


def _right(graph: Graph, data: DataSet, overlay: Overlay) -> float:
    """Percent right of the changed network."""
    return metrics.accuracy(outputs(graph, data, overlay), data.labels) if data.labels is not None else float("nan")


def case(path: Path, folder: Path, samples: int) -> Case:
    """The optimised network, and ``samples`` to calibrate on; bytes by the usual recipe."""
    graph = load(path)
    optimize(graph, 1, Context(level=1))
    calibration, evaluation = data_of(path, folder, graph)
    evidence = Evidence(graph, calibration.subset(samples))
    session = ProductSession(ProductQuantize(), evidence, [*RATES, INT8], plain_session(evidence, "w8a8"))
    nodes, exact = [n for n in linear_nodes(graph) if suits(n)], _right(graph, evaluation, Overlay())
    return Case(path.stem, graph, session.inputs, evaluation, session, nodes, exact)


def measured(found: Case, rates: Sequence[str]) -> Iterator[Row]:
    """Float, bytes, int4, int3, and every rate without and with error correction."""
    layers = [n.name for n in linear_nodes(found.graph)]
    plain = {n: 4 * node.constant(1).size for n, node in zip(layers, linear_nodes(found.graph), strict=True)}  # type: ignore[union-attr]
    yield found.row("float32", Overlay(), plain, time.perf_counter())
    started = time.perf_counter()
    bytes_ = found.session.solve({n: Form("product_quantize", INT8) for n in layers}, Overlay())
    yield found.row("int8", found.session.overlay(bytes_), found.session.sizes(bytes_), started)
    for narrow in NARROW:
        yield _narrow(found, bytes_, narrow)
    for key in rates:
        for correct in (False, True):
            started = time.perf_counter()
            made = reconstruct(found.graph, found.calibration, found.nodes, ALL[key], bytes_.plan, Overlay(), correct)
            solution = ProductPlan(bytes_.plan, made)
            name = f"{key} {'corrected' if correct else 'k-means'}"
            yield found.row(name, found.session.overlay(solution), found.session.sizes(solution), started)


def _narrow(found: Case, bytes_: ProductPlan, kind: QuantizationScheme) -> Row:
    """The same layers in integers of few bits, with all repairs."""
    started, names = time.perf_counter(), [n.name for n in found.nodes]
    evidence, recipe = Evidence(found.graph, found.calibration), Recipe(compensate=True)
    session = QuantizeSession(Quantize(), evidence, (kind,), found.calibration, recipe)
    solution = session.solve({n: Form("quantize", kind.name) for n in names}, Overlay())
    overlay, own = found.session.overlay(bytes_), session.overlay(solution)
    overlay.constants.update({key: array for key, array in own.constants.items() if key[0] in names})
    return found.row(kind.weights, overlay, {**found.session.sizes(bytes_), **session.sizes(solution)}, started)


def conclusions(rows: Sequence[Row], max_drop: float) -> Iterator[str]:
    """The smallest form of each network within ``max_drop`` points, and what is left of the loss of k-means."""
    for network in dict.fromkeys(r.network for r in rows):
        own = {r.form: r for r in rows if r.network == network}
        within = [r for r in own.values() if r.loss <= max_drop]
        best = min(within, key=lambda r: r.stored)
        size = f"{best.bits:.2f} bits a weight, {best.smaller:.1f} times smaller"
        yield f"{network}: {best.form}, {size}, loses {best.loss:.2f} points"
        for form, row in own.items():
            plain = own.get(form.replace("corrected", "k-means"), row)
            if plain is not row:
                lost = f"{row.loss:.2f} points in place of {plain.loss:.2f}"
                yield f"  {form}: {lost}; the error of responses is {row.alone / plain.alone:.2f} times that of k-means"


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "form", "kB", "bits", "smaller", "alone", "accuracy %", "loss", "seconds")
    for r in rows:
        sizes = [f"{r.stored / 1e3:.1f}", f"{r.bits:.2f}", f"{r.smaller:.1f}", f"{r.alone:.3f}"]
        table.add_row(r.network, r.form, *sizes, f"{r.accuracy:.2f}", f"{r.loss:.2f}", f"{r.seconds:.1f}")
    Console(width=120).print(table)


def main() -> None:
    """Measure and print."""
    parser = network_arguments(__doc__)
    parser.add_argument("--rates", default=",".join(ALL))
    parser.add_argument("--max-drop", type=float, default=1.5)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    rows = []
    for path in networks(a):
        for row in measured(case(path, a.data, a.samples), a.rates.split(",")):
            rows.append(row)
            print(f"{row.network}, {row.form}: {row.loss:.2f} points at {row.bits:.2f} bits", file=sys.stderr, flush=True)
    show(rows)
    print(*conclusions(rows, a.max_drop), sep="\n")
    if a.json:
        a.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
