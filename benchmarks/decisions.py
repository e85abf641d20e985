"""Real networks on their evaluation data: the same decisions as onnxruntime without optimizations, and the same accuracy.

``EDGEOPT_MODELS=DIR python -m benchmarks.decisions [--level 1] [--limit N]``; DIR holds models/ and data/prepare.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Agreement:
    """Shares in percent, and the largest deviation of an output relative to its range."""

    network: str
    samples: int
    same_decision: float
    accuracy: float
    reference_accuracy: float
    deviation: float


def prepared(root: Path, stem: str, folder: Path) -> Path:
    """Evaluation data of a model, written by the script that comes with the data."""
    made = folder / f"{stem}.eval.npz"
    if not made.exists():
        command = [sys.executable, str(root / "data" / "prepare.py"), stem, str(folder), str(root)]
        subprocess.run(command, check=True, capture_output=True)
    return made


def reference(path: Path, name: str, samples: Array) -> Array:
    """The first output of onnxruntime without optimizations, sample by sample."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(None, {name: x[None]})[0]) for x in samples])


def agreement(path: Path, data: Path, level: int, limit: int | None) -> Agreement:
    """Compile ``path`` at ``level`` and compare on at most ``limit`` samples."""
    import edgeopt

    arrays = np.load(data)
    model = edgeopt.compile(path, level=level)
    name = model.manifest["inputs"][0]["name"]
    samples, labels = arrays[name][:limit], arrays["labels"][:limit]
    ours = model.run({name: samples})[model.manifest["outputs"][0]["name"]].reshape(len(samples), -1)
    theirs = reference(path, name, samples).reshape(len(samples), -1)
    deviation = np.abs(ours - theirs).max() / np.ptp(theirs)
    decisions, wanted = ours.argmax(1), theirs.argmax(1)
    shares = [100 * float(np.mean(a == b)) for a, b in ((decisions, wanted), (decisions, labels), (wanted, labels))]
    return Agreement(path.stem, len(samples), shares[0], shares[1], shares[2], float(deviation))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--limit", type=int)
    a = parser.parse_args()
    root = Path(os.environ["EDGEOPT_MODELS"])
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "samples", "same decision %", "accuracy %", "reference %", "deviation / range")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get("EDGEOPT_DATA", scratch))
        for path in sorted((root / "models").glob("*.onnx")):
            r = agreement(path, prepared(root, path.stem, folder), a.level, a.limit)
            shares = [f"{x:.2f}" for x in (r.same_decision, r.accuracy, r.reference_accuracy)]
            table.add_row(r.network, str(r.samples), *shares, f"{r.deviation:.1e}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
