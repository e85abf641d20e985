"""Accuracy after quantization, by method: per tensor and per channel, W8A8, W4A8 and W4A4, with and without repairs and data.

    python -m benchmarks.quantization_table --models DIR --data DIR [--only NAME,...] [--rows WORD,...] [--json FILE] [--peer]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.eval.npz and NAME.cal.npz (one array per input, ``labels``). Calibration
sees the second file only, every figure is of the first. A cell is accuracy % / agreement of decisions with the float model %.
Rounding is simulated in float here, so that all methods can be compared; what ``edgeopt compile`` reports is computed by the
integers of the compiled network and differs by a few images.
--peer adds onnxruntime's static quantization with the same calibration data.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.networks import data_of, network_arguments, networks
from benchmarks.quantization_peer import by_onnxruntime
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.quantize.overlay import overlay_of
from edgeopt.forms.quantize.plan import make_plan
from edgeopt.forms.quantize.recipe import best_recipe
from edgeopt.forms.quantize.reconstruct import Repairs
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.grid import scheme
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.target import host

NEAREST = Repairs(adaptive=False, compensate=False, correct_bias=False)
SCHEMES = ("w8a8", "w4a8", "w4a4")


@dataclass(frozen=True)
class Case:
    """One network: its file, its optimised float graph, its data, and the float outputs on the evaluation data."""

    path: Path
    graph: Graph
    calibration: DataSet
    evaluation: DataSet
    reference: Array


Method = Callable[[Case], Array]


def rows(peer: bool) -> dict[str, Method]:
    """Name of a row -> what computes the outputs of that method."""
    found: dict[str, Method] = {"float": lambda case: case.reference}
    for name in SCHEMES:
        for label, per_channel in (("tensor", False), ("channel", True)):
            found[f"{name} per {label}, nearest"] = _nearest(name, per_channel)
            found[f"{name} per {label}, repaired"] = _repaired(name, per_channel)
    found["w8a8 without data"] = _without_data
    if peer:
        found["onnxruntime min-max per channel"] = lambda case: by_onnxruntime(case.path, case.calibration, case.evaluation)
    return found


def _nearest(name: str, per_channel: bool) -> Method:
    def outputs_of(case: Case) -> Array:
        wanted = scheme(name) if per_channel else scheme(name).per_tensor()
        plan = make_plan(case.graph, case.calibration, wanted, None, "minmax", NEAREST)
        return outputs(case.graph, case.evaluation, overlay_of(case.graph, plan))

    return outputs_of


def _repaired(name: str, per_channel: bool) -> Method:
    def outputs_of(case: Case) -> Array:
        wanted = scheme(name) if per_channel else scheme(name).per_tensor()
        recipe, graph = best_recipe(case.graph, case.calibration, wanted), clone(case.graph)
        recipe.prepare(graph, case.calibration)
        plan = make_plan(graph, case.calibration, wanted, None, recipe.method, recipe.repairs)
        return outputs(graph, case.evaluation, overlay_of(graph, plan))

    return outputs_of


def _without_data(case: Case) -> Array:
    graph, _ = approximate(load(case.path), Budget(forms="w8a8"), Context(), host())
    return outputs(graph, case.evaluation)


def open_case(path: Path, data: Path) -> Case:
    """The network of ``path`` with its data from the folder ``data``."""
    graph = load(path)
    optimize(graph)
    calibration, evaluation = data_of(path, data, graph)
    return Case(path, graph, calibration, evaluation, outputs(graph, evaluation))


def measure(case: Case, methods: dict[str, Method]) -> dict[str, dict[str, float]]:
    """Row -> accuracy and agreement, in percent. Raises EdgeoptError when the data has no labels or does not fit."""
    results = {}
    for name, method in methods.items():
        actual, labels = method(case), case.evaluation.labels
        assert labels is not None, f"the evaluation data of {case.path.stem} has no labels"
        results[name] = {"accuracy": metrics.accuracy(actual, labels), "agreement": metrics.agreement(actual, case.reference)}
        print(f"{case.path.stem}: {name}: {results[name]}", file=sys.stderr, flush=True)
    return results


def markdown(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """One line per method, one column per network."""
    names = list(results)
    methods = list(next(iter(results.values())))
    lines = ["| method | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for method in methods:
        cells = [f"{results[n][method]['accuracy']:.2f} / {results[n][method]['agreement']:.1f}" for n in names]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--rows", help="keep rows that contain one of these words, separated by commas")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    words = given.rows.split(",") if given.rows else [""]
    methods = {name: m for name, m in rows(given.peer).items() if any(w in name for w in words)}
    results = {
        p.stem: measure(open_case(p, given.data), methods)
        for p in networks(given)
        if (given.data / f"{p.stem}.eval.npz").exists()
    }
    if given.json:
        given.json.write_text(json.dumps(results, indent=2))
    print(markdown(results))


if __name__ == "__main__":
    main()
