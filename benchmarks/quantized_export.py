"""Quantised files we write against those onnxruntime writes, on the engines that read them.

    python -m benchmarks.quantized_export --models DIR --data DIR [--only NAME,...] [--profile x86] [--decisions N] [--folder OUT]

For each network: bytes of the file relative to the float file; layers that each engine runs in integers; time of our file over
that of onnxruntime's own quantization on the same engine (minima, in turns); accuracy of our file in onnxruntime, compiled here,
and of onnxruntime's file.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import edgeopt
from benchmarks.executed_types import by_onnxruntime, by_openvino
from benchmarks.networks import data_of, network_arguments, networks
from benchmarks.quantization_peer import Settings, quantize_file
from edgeopt.evaluate.data import DataSet
from edgeopt.examine.engines import Inference, onnxruntime, openvino
from edgeopt.frontend import load, save
from edgeopt.ir import Array
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.target import target

INTEGER = ("QLinearConv", "QGemm", "QLinearMatMul", "ConvInteger", "MatMulInteger")
FLOAT = ("Conv", "FusedConv", "Gemm", "MatMul")
LAYERS = ("Convolution", "FullyConnected", "MatMul")
ENGINES = {"onnxruntime": onnxruntime, "openvino": openvino}
BURST = 5
COLUMNS = (
    "network", "bytes / float", "onnxruntime: integer + float layers", "openvino", "onnxruntime: time / its own file", "openvino",
    "accuracy %: float", "our file in onnxruntime", "our file here", "onnxruntime's file", "same decision here and there %",
)  # fmt: skip


@dataclass(frozen=True)
class Files:
    """One network: the float file, our quantised one, and onnxruntime's."""

    original: Path
    ours: Path
    theirs: Path


def export(path: Path, destination: Path, calibration: DataSet, profile: str) -> None:
    """Quantise ``path`` with ``calibration`` and write it in standard operators."""
    budget = Budget(calibration, calibration, 100.0, "w8a8", profile=profile)
    graph, _ = approximate(load(path), budget, Context(), target("host"), "standard")
    save(graph, destination, portable=True)


def onnxruntime_layers(path: Path) -> str:
    """Integer and float layers after onnxruntime's optimizations."""
    with tempfile.TemporaryDirectory() as folder:
        found = by_onnxruntime(path, Path(folder) / "optimized.onnx", signed=False)
    return f"{sum(found[op] for op in INTEGER)} + {sum(found[op] for op in FLOAT)}"


def openvino_layers(path: Path) -> str:
    """Integer and float layers of OpenVINO's compiled model."""
    found: Counter[bool] = Counter()
    for (kind, name), count in by_openvino(path).items():
        if kind in LAYERS:
            found[name.lower().endswith(("_i8", "_u8"))] += count
    return f"{found[True]} + {found[False]}"


def ratios(files: Files, sample: Mapping[str, Array], seconds: float) -> list[float]:
    """For each engine our file's least time over that of onnxruntime's file, on one thread."""
    runs: dict[tuple[str, bool], Inference] = {
        (name, ours): make(files.ours if ours else files.theirs, sample, 1)
        for name, make in ENGINES.items()
        for ours in (True, False)
    }
    best = dict.fromkeys(runs, float("inf"))
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for key, run in runs.items():
            for _ in range(BURST):
                started = time.perf_counter()
                run()
                best[key] = min(best[key], time.perf_counter() - started)
    return [best[name, True] / best[name, False] for name in ENGINES]


def decisions(run: Inference, arrays: dict[str, Array], data: DataSet) -> Array:
    """The classes that an inference reading ``arrays`` decides for each sample of ``data``."""
    made = []
    for i in range(len(data)):
        for name, array in arrays.items():
            array[...] = data.arrays[name][i : i + 1]
        made.append(int(np.argmax(run()[0])))
    return np.array(made)


def row(files: Files, data: DataSet, seconds: float) -> list[str]:
    """The cells of one network."""
    arrays = {name: array[:1].copy() for name, array in data.arrays.items()}
    ours = edgeopt.compile(files.ours, level=2)
    found = [decisions(onnxruntime(path, arrays, 1), arrays, data) for path in (files.original, files.ours)]
    found.append(decisions(lambda: list(ours.run(arrays).values()), arrays, data))
    found.append(decisions(onnxruntime(files.theirs, arrays, 1), arrays, data))
    assert data.labels is not None
    share = files.ours.stat().st_size / files.original.stat().st_size
    cells = [files.original.stem, f"{share:.3f}", onnxruntime_layers(files.ours), openvino_layers(files.ours)]
    cells += [f"{ratio:.2f}" for ratio in ratios(files, arrays, seconds)]
    cells += [f"{100 * float(np.mean(made == data.labels)):.1f}" for made in found]
    return [*cells, f"{100 * float(np.mean(found[1] == found[2])):.1f}"]


def main() -> None:
    """Print the table."""
    parser = network_arguments(__doc__)
    parser.add_argument("--profile", default="x86")
    parser.add_argument("--decisions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--folder", type=Path, help="keep the files there")
    a = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n" + "|---" * len(COLUMNS) + "|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = a.folder or Path(scratch)
        for path in networks(a):
            calibration, evaluation = data_of(path, a.data, load(path))
            files = Files(path, folder / f"{path.stem}.edgeopt.onnx", folder / f"{path.stem}.onnxruntime.onnx")
            export(path, files.ours, calibration, a.profile)
            quantize_file(path, files.theirs, calibration, Settings(signed=a.profile == "arm"))
            print(f"| {' | '.join(row(files, evaluation.subset(a.decisions), a.seconds))} |", flush=True)


if __name__ == "__main__":
    main()
