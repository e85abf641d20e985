"""Inference engines behind one interface, so that a benchmark can run them in turn in one process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from edgeopt.examine.engines import Inference, onnxruntime, openvino
from edgeopt.ir import Array

TURN = 0.02  # seconds of one of several engines that are timed


def edgeopt_engine(
    path: Path,
    inputs: Mapping[str, Array],
    threads: int,
    level: int = 2,
    target: str = "host",
    shapes: Mapping[str, Sequence[int]] | None = None,
    bind: Mapping[str, float] | None = None,
) -> Inference:
    """This compiler; inputs that it is to ``bind`` are no longer fed."""
    import edgeopt

    model = edgeopt.compile(path, level, target, shapes=shapes, options=edgeopt.Options(bind=dict(bind or {})))
    fed = {name: array for name, array in inputs.items() if name not in (bind or {})}
    return lambda: list(model.run(fed, threads=threads).values())


def mnn_engine(path: Path, inputs: Mapping[str, Array], threads: int) -> Inference:
    """MNN, through its own converter."""
    import MNN.nn
    import MNN.numpy

    folder = Path(tempfile.mkdtemp(prefix="edgeopt-mnn-"))
    converted = folder / "model.mnn"
    tool = Path(sys.executable).with_name("mnnconvert")
    arguments = [str(tool), "-f", "ONNX", "--modelFile", str(path), "--MNNModel", str(converted), "--bizCode", "edgeopt"]
    subprocess.run(arguments, check=True, capture_output=True, timeout=300)
    manager = MNN.nn.create_runtime_manager(({"backend": 0, "numThread": threads, "precision": 1},))
    module = MNN.nn.load_module_from_file(str(converted), list(inputs), [], runtime_manager=manager)
    feed = [MNN.numpy.array(array) for array in inputs.values()]

    def run() -> list[Array]:
        made = module.onForward(feed)
        return [np.array(y.read()) for y in made]

    return run


def least_in_turns(runs: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The least seconds of each of ``runs``, which take turns of ``TURN`` seconds, so that all of them see the same machine."""
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for which, run in enumerate(runs):
            end = time.perf_counter() + TURN
            while time.perf_counter() < end:
                begun = time.perf_counter()
                run()
                best[which] = min(best[which], time.perf_counter() - begun)
    return best


ENGINES: dict[str, Callable[..., Inference]] = {
    "edgeopt": edgeopt_engine,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "mnn": mnn_engine,
}
