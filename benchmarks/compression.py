"""Compression without retraining: the size of coded weights at a loss, and one-shot pruning at half of the weights.

    python -m benchmarks.compression --models DIR --data DIR [--only NAME,...] [--ways halves,recipe,itself] [--apart]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.eval.npz and NAME.cal.npz (one array per input, ``labels``). Ways are
pruning by half, the recipe ``deep-compression`` within the loss of the network, and ``-O3 --objective size`` within one point.
Calibration sees the second file only. What is lost is counted on the samples of the first that a search verifies on; with
--apart it gets half of them, and what is lost on the others is stated, too. Bytes are those of ``edgeopt.coding`` for all
constants, against those of all constants of the model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.networks import data_of, network_arguments, networks, reported
from edgeopt import Options, compile, compress
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.registry import techniques
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.pipeline import optimize
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.stored import constants_bytes, constants_size

DROPS = {"lenet300_100_mnist": 0.3, "lenet5_mnist": 0.3, "resnet20_cifar10": 1.0, "mobilenet_v1_0.25_224_imagenet": 1.5}
HALVES = ("unstructured-50", "magnitude-50", "2:4", "16x4-50", "16x1-50")
HALVED = ("resnet20_cifar10",)


@dataclass(frozen=True)
class Row:
    """One way to make one network smaller: percent right before and after, times smaller (0: not looked at), seconds of work.

    ``unseen`` is what is lost on samples that the search did not see.
    """

    network: str
    way: str
    before: float
    after: float
    smaller: float
    seconds: float
    unseen: float | None = None


@dataclass(frozen=True)
class Given:
    """A network and its data; ``unseen`` is what of the evaluation data a search does not see, None where it sees all."""

    path: Path
    data: DataSet
    calibration: DataSet
    unseen: DataSet | None


def given_to(path: Path, folder: Path, apart: bool) -> Given:
    """The network of ``path`` with the data of ``folder``."""
    calibration, evaluation = data_of(path, folder, load(path))
    unseen, seen = evaluation.split() if apart else (None, evaluation)
    return Given(path, seen, calibration, unseen)


def by_recipe(given: Given) -> Row:
    """The network by the recipe, within its loss."""
    drop, started = DROPS[given.path.stem], time.perf_counter()
    made = compress(given.path, max_drop=drop, data=given.data, calibration=given.calibration)
    return _row(given, f"deep-compression, {drop:g}", made, started)


def by_itself(given: Given) -> Row:
    """The network by ``-O3 --objective size``, within one point."""
    started, options = time.perf_counter(), Options(objective="size")
    made = compile(given.path, 3, options=options, data=given.data, calibration=given.calibration)
    return _row(given, "-O3 --objective size, 1", made, started)


def _row(given: Given, way: str, made: CompiledModel, started: float) -> Row:
    found, seconds = made.manifest["quantization"], time.perf_counter() - started
    smaller = constants_size(load(given.path)) / constants_bytes(made.graph)
    return Row(given.path.stem, way, found["before"], found["after"], smaller, seconds, _lost(given, made))


def _lost(given: Given, made: CompiledModel) -> float | None:
    """What is lost on the data that the search did not see."""
    if given.unseen is None:
        return None
    return _accuracy(load(given.path), given.unseen, Overlay()) - _accuracy(made.graph, given.unseen, Overlay())


def halved(path: Path, data: Path) -> Iterator[Row]:
    """Every layer pruned by half in each pattern, in a run of the changed network; with magnitude nothing is made up for."""
    graph = load(path)
    optimize(graph)
    calibration, evaluation = data_of(path, data, graph)
    before = _accuracy(graph, evaluation, Overlay())
    for key in HALVES:
        started = time.perf_counter()
        session = techniques()["prune"].open(Evidence(graph, calibration), [key])
        forms = {layer: Form("prune", key) for layer in session.offers()}
        solution = session.rough(forms, Overlay()) if key.startswith("magnitude") else session.solve(forms, Overlay())
        after = _accuracy(graph, evaluation, session.overlay(solution))
        yield Row(path.stem, f"pruned to {key}", before, after, 0.0, time.perf_counter() - started)


def _accuracy(graph: Graph, data: DataSet, overlay: Overlay) -> float:
    assert data.labels is not None
    return metrics.accuracy(outputs(graph, data, overlay), data.labels)


def rows(path: Path, data: Path, ways: Sequence[str], apart: bool) -> Iterator[Row]:
    """All that is measured of one network."""
    if "halves" in ways and path.stem in HALVED:
        yield from halved(path, data)
    found = given_to(path, data, apart)
    yield from (way(found) for name, way in (("recipe", by_recipe), ("itself", by_itself)) if name in ways)


def markdown(found: list[Row]) -> str:
    """One line per row."""
    lines = ["| network | way | % right | after | lost | of unseen | times smaller | s |", "|---|---|---|---|---|---|---|---|"]
    for r in found:
        lost = f"{r.before - r.after:.2f} | {'' if r.unseen is None else format(r.unseen, '.2f')}"
        smaller = f"{r.smaller:.1f}" if r.smaller else ""
        lines.append(f"| {r.network} | {r.way} | {r.before:.2f} | {r.after:.2f} | {lost} | {smaller} | {r.seconds:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--ways", default="halves,recipe,itself", help="what to do, separated by commas")
    parser.add_argument("--apart", action="store_true", help="searches see half of the evaluation data")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    paths = [path for path in networks(given) if path.stem in DROPS]
    reported((row for path in paths for row in rows(path, given.data, given.ways.split(","), given.apart)), markdown, given.json)


if __name__ == "__main__":
    main()
