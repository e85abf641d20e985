"""Engines that ``edgeopt bench`` can compare with, each as a function without arguments that runs one inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array

Inference = Callable[[], list[Array]]


def onnxruntime(model: Path, inputs: Mapping[str, Array], threads: int, optimized: bool = True) -> Inference:
    """onnxruntime on the CPU with all of its optimizations, or none."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = 4
    if not optimized:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    arrays = dict(inputs)
    return lambda: list(session.run(None, arrays))


def openvino(model: Path, inputs: Mapping[str, Array], threads: int) -> Inference:
    """OpenVINO on the CPU in float32."""
    import openvino

    core = openvino.Core()
    loaded = core.read_model(str(model))
    loaded.reshape({name: list(array.shape) for name, array in inputs.items()})
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(loaded, "CPU", settings).create_infer_request()
    arrays, outputs = dict(inputs), range(len(loaded.outputs))

    def run() -> list[Array]:
        results = request.infer(arrays)
        return [results[index] for index in outputs]

    return run


ENGINES: dict[str, tuple[str, Callable[[Path, Mapping[str, Array], int], Inference]]] = {
    "ort": ("onnxruntime", onnxruntime),
    "openvino": ("openvino", openvino),
}


def engine(name: str, model: Path, inputs: Mapping[str, Array], threads: int) -> Inference:
    """The engine called ``name`` ready to run ``model``. Raises EdgeoptError when it is absent or refuses the model."""
    if name not in ENGINES:
        raise EdgeoptError(f"unknown engine '{name}'; known are {', '.join(ENGINES)}")
    package, make = ENGINES[name]
    if find_spec(package) is None:
        raise EdgeoptError(f"the engine '{name}' is not installed: pip install 'edgeopt[bench]'")
    try:
        inference = make(model, inputs, threads)
        inference()
    except Exception as error:
        raise EdgeoptError(f"the engine '{name}' cannot run '{model}': {error}") from error
    return inference
