"""Compression without retraining: the size of coded weights at a loss, and one-shot pruning at half of the weights.

    python -m benchmarks.compression --models DIR --data DIR [--only NAME,...] [--by-itself] [--json FILE]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.eval.npz and NAME.cal.npz (one array per input, ``labels``). Calibration
sees the second file only, every figure is of the first. --by-itself adds ``-O3 --objective size`` within a point. Bytes are those
of ``edgeopt.coding`` for all constants, against those of all constants of the model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
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
    """One way to make one network smaller: percent right before and after, times smaller (0: not looked at), seconds of work."""

    network: str
    way: str
    before: float
    after: float
    smaller: float
    seconds: float


def compressed(path: Path, data: Path, by_itself: bool) -> Iterator[Row]:
    """The network by the recipe within its loss and, if asked for, by ``-O3 --objective size`` within one point."""
    given = {"data": data / f"{path.stem}.eval.npz", "calibration": data / f"{path.stem}.cal.npz"}
    size, drop, started = constants_size(load(path)), DROPS[path.stem], time.perf_counter()
    yield _row(path, f"deep-compression, {drop:g}", compress(path, max_drop=drop, **given), size, started)
    if by_itself:
        started = time.perf_counter()
        yield _row(path, "-O3 --objective size, 1", compile(path, 3, options=Options(objective="size"), **given), size, started)


def _row(path: Path, way: str, made: CompiledModel, size: int, started: float) -> Row:
    found = made.manifest["quantization"]
    smaller = size / constants_bytes(made.graph)
    return Row(path.stem, way, found["before"], found["after"], smaller, time.perf_counter() - started)


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


def rows(path: Path, data: Path, by_itself: bool) -> Iterator[Row]:
    """All that is measured of one network."""
    if path.stem in HALVED:
        yield from halved(path, data)
    yield from compressed(path, data, by_itself)


def markdown(found: list[Row]) -> str:
    """One line per row."""
    lines = ["| network | way | % right | after | lost | times smaller | s |", "|---|---|---|---|---|---|---|"]
    for r in found:
        smaller = f"{r.smaller:.1f}" if r.smaller else ""
        lines.append(
            f"| {r.network} | {r.way} | {r.before:.2f} | {r.after:.2f} | {r.before - r.after:.2f} | {smaller} | {r.seconds:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--by-itself", action="store_true", help="also -O3 --objective size")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    paths = [path for path in networks(given) if path.stem in DROPS]
    reported((row for path in paths for row in rows(path, given.data, given.by_itself)), markdown, given.json)


if __name__ == "__main__":
    main()
