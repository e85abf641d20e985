"""Convolutions as pairs of depthwise and pointwise ones: errors of responses, accuracy against work, and what a search chooses.

    python -m benchmarks.separation --models DIR --data DIR [--only NAME,...] [--search] [--max-drop PP] [--json FILE]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.eval.npz and NAME.cal.npz (one array per input, ``labels``). Everything
is fitted on the second file and judged on the first. The first table holds the error of the responses of single layers, as the
share of their variance that is lost, by the pairs nearest to the weight (singular value decomposition alone) and by those fitted
to responses, with the same number of pairs. The second holds accuracy % by the share of multiply-accumulates that is left, where
each layer has the form that loses least for its work: by weights alone, fitted, and fitted once more in order. --search lets -O3
choose inside --max-drop, and prints measured times.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.networks import data_of, network_arguments, networks
from edgeopt.evaluate import metrics as judge
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.moments import Moments, grouped
from edgeopt.forms.structure.in_order import fitted_in_order
from edgeopt.forms.structure.metric import Metric, metrics, moments_of, unweighted
from edgeopt.forms.structure.separate_depthwise import KEYS, cost, solve
from edgeopt.frontend import load
from edgeopt.ir import Graph, Node
from edgeopt.ops.chain import Chains
from edgeopt.ops.macs import macs
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.search.timing import layer_name
from edgeopt.target import host

WORTH = tuple(2.0**k for k in range(-9, 1))  # of the error of a layer, for each share of the work that is saved
Made = dict[tuple[str, str], tuple[Chains, Chains]]  # layer and form -> by weights alone, and fitted


@dataclass(frozen=True)
class Case:
    """A network with its data and its layers that can be separated, and what all their forms become."""

    graph: Graph
    calibration: DataSet
    evaluation: DataSet
    layers: dict[str, Node]
    made: Made


def open_case(path: Path, data: Path) -> Case:
    """The network of ``path`` with its data from the folder ``data``, all forms solved."""
    graph = load(path)
    optimize(graph)
    calibration, evaluation = data_of(path, data, graph)
    layers = {n.name: n for n in graph.nodes if any(cost(n, key) for key in KEYS)}
    known = metrics(graph, list(layers.values()), calibration)
    made = {(n.name, key): _both(n, key, known[n.name]) for n in layers.values() for key in KEYS if cost(n, key) is not None}
    return Case(graph, calibration, evaluation, layers, made)


def _both(node: Node, key: str, metric: Metric) -> tuple[Chains, Chains]:
    return solve(node, key, unweighted(node), False), solve(node, key, metric, True)


def errors(case: Case) -> dict[tuple[str, str], tuple[float, float]]:
    """For each layer and form the errors of its responses on the evaluation data: by weights alone, and fitted."""
    seen = {}
    with Lockstep(case.graph, case.evaluation, [Overlay()]) as runs:
        for node in case.layers.values():
            seen[node.name] = moments_of(node, runs, len(case.evaluation))
    return {
        (name, key): (_error(case.layers[name], pair[0], seen[name]), _error(case.layers[name], pair[1], seen[name]))
        for (name, key), pair in case.made.items()
    }


def _error(node: Node, made: Chains, moments: Moments) -> float:
    """Mean square of what changes in the responses, as a share of their variance."""
    weight, bias = node.constant(1), node.constant(2)
    assert weight is not None
    change, whole = grouped(node, made.weight) - grouped(node, weight), grouped(node, weight)
    offset = np.zeros(change.shape[:2]) if made.bias is None or bias is None else (made.bias - bias).reshape(change.shape[:2])
    about = moments.own - moments.mean[:, :, None] * moments.mean[:, None, :]
    shift = np.einsum("gnk,gk->gn", change, moments.mean) + offset
    lost = np.einsum("gnk,gkl,gnl->", change, about, change, optimize=True) + np.square(shift).sum()
    return float(lost / np.einsum("gnk,gkl,gnl->", whole, about, whole, optimize=True))


def by_form(found: Mapping[tuple[str, str], tuple[float, float]]) -> list[dict[str, object]]:
    """One row for each form: mean errors over the layers that have it, and what fitting takes away, in the mean and at least."""
    rows: list[dict[str, object]] = []
    for key in KEYS:
        pairs = np.array([error for (_, other), error in found.items() if other == key])
        if len(pairs):
            less = 100 * (1 - pairs[:, 1] / pairs[:, 0])
            alone, fitted = pairs.mean(axis=0)
            rows.append(
                {"form": key, "layers": len(pairs), "alone": alone, "fitted": fitted, "less": less.mean(), "least": less.min()}
            )
    return rows


def curve(case: Case, found: Mapping[tuple[str, str], tuple[float, float]]) -> list[dict[str, float]]:
    """Accuracy at falling work: each layer in the form that is best where errors have a price in work."""
    total, rows = sum(macs(n) or 0 for n in case.graph.nodes), []
    chosen_before: dict[str, str] | None = None
    for worth in WORTH:
        chosen = {name: key for name in case.layers if (key := _best(case, found, name, worth * len(case.layers), total))}
        if chosen == chosen_before or not chosen:
            continue
        saved = sum((macs(case.layers[name]) or 0) - (cost(case.layers[name], key) or 0) for name, key in chosen.items())
        alone, fitted = ({name: case.made[name, key][index] for name, key in chosen.items()} for index in (0, 1))
        ways = {"alone": alone, "fitted": fitted, "in order": _in_order(case, chosen)}
        accuracies = {way: _accuracy(case, made, way != "alone") for way, made in ways.items()}
        rows.append({"work": 100 * (1 - saved / total), "layers": len(chosen), **accuracies})
        chosen_before = chosen
    return rows


def _best(case: Case, found: Mapping[tuple[str, str], tuple[float, float]], name: str, worth: float, total: int) -> str:
    before = macs(case.layers[name]) or 0
    prices = {"": worth * before / total}
    prices |= {
        key: error[1] + worth * (cost(case.layers[name], key) or 0) / total
        for (other, key), error in found.items()
        if other == name
    }
    return min(prices, key=lambda key: prices[key])


def _in_order(case: Case, chosen: Mapping[str, str]) -> dict[str, Chains]:
    def fitted(node: Node, metric: Metric) -> Chains:
        return solve(node, chosen[node.name], metric, True)

    layers = {name: case.layers[name] for name in chosen}
    return fitted_in_order(case.graph, case.calibration, layers, fitted, Overlay())


def _accuracy(case: Case, solved: Mapping[str, Chains], biased: bool) -> float:
    """With what was solved; weights alone leave biases as they are."""
    places = {place: array for name, made in solved.items() for place, array in made.constants(name).items()}
    overlay = Overlay({place: array for place, array in places.items() if place[1] == 1 or biased})
    assert case.evaluation.labels is not None
    return judge.accuracy(outputs(case.graph, case.evaluation, overlay), case.evaluation.labels)


def searched(path: Path, case: Case, forms: str, max_drop: float) -> dict[str, object]:
    """What -O3 chooses: the times of network and changed layers before and after, in microseconds, and the accuracy."""
    budget = Budget(case.evaluation, case.calibration, max_drop, forms)
    _, found = approximate(load(path), budget, Context(level=3), host())
    assert found is not None
    before, after = found.costs["float32"], found.costs["result"]
    layers = {layer_name(n): (found.forms[n], 1e6 * before.layer(n).seconds, 1e6 * after.layer(n).seconds) for n in found.changed}
    network = (1e6 * before.seconds, 1e6 * after.seconds)
    return {"layers": layers, "network": network, "accuracy": (found.before, found.after)}


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--search", metavar="FORMS", nargs="?", const="separate_depthwise")
    parser.add_argument("--max-drop", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = {path.stem: report(path, given) for path in networks(given) if (given.data / f"{path.stem}.eval.npz").exists()}
    if given.json:
        given.json.write_text(json.dumps(results, indent=2))


def report(path: Path, given: argparse.Namespace) -> dict[str, object]:
    """Print the tables of one network, and return them."""
    case = open_case(path, given.data)
    found = errors(case)
    made: dict[str, object] = {"errors": by_form(found), "curve": curve(case, found)}
    for title, rows in made.items():
        print(f"\n{path.stem}: {title}")
        for row in rows:  # type: ignore[attr-defined]
            print("  " + "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    if given.search:
        made["search"] = searched(path, case, given.search, given.max_drop)
        print(f"\n{path.stem}: search\n  {made['search']}")
    return made


if __name__ == "__main__":
    main()
