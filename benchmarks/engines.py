"""Inference engines behind one interface, so that a benchmark can run them in turn in one process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Run = Callable[[], list[Array]]


def edgeopt_engine(path: Path, inputs: Mapping[str, Array], threads: int, level: int = 2, target: str = "host") -> Run:
    """This compiler."""
    import edgeopt

    model = edgeopt.compile(path, level=level, target=target)
    return lambda: list(model.run(inputs, threads=threads).values())


def onnxruntime_engine(path: Path, inputs: Mapping[str, Array], threads: int) -> Run:
    """onnxruntime's CPU provider with all of its optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: [np.asarray(y) for y in session.run(None, dict(inputs))]


def openvino_engine(path: Path, inputs: Mapping[str, Array], threads: int) -> Run:
    """OpenVINO's CPU plugin in latency mode, computing in float32."""
    import openvino

    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape({name: list(array.shape) for name, array in inputs.items()})
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    feed = dict(inputs)

    def run() -> list[Array]:
        results = request.infer(feed)
        return [np.array(results[o]) for o in request.model_outputs]

    return run


def mnn_engine(path: Path, inputs: Mapping[str, Array], threads: int) -> Run:
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


ENGINES: dict[str, Callable[..., Run]] = {
    "edgeopt": edgeopt_engine,
    "onnxruntime": onnxruntime_engine,
    "openvino": openvino_engine,
    "mnn": mnn_engine,
}
