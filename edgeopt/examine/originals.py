"""Running the original model, independent of edgeopt: onnxruntime with optimizations off, or onnx.reference without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx

from edgeopt.errors import EdgeoptError
from edgeopt.files import open_regular
from edgeopt.ir import Array

ONNXRUNTIME, REFERENCE = "onnxruntime", "onnx.reference"
ORIGINALS = (ONNXRUNTIME, REFERENCE)
Runner = Callable[[Mapping[str, Array]], dict[str, Array]]


def original_runner(path: Path, engine: str | None = None) -> tuple[str, Runner]:
    """The engine, chosen when not given, and a function from inputs to outputs.

    Raises EdgeoptError when the engine is absent or cannot open the model; so does the function when it cannot run it.
    """
    installed = find_spec("onnxruntime") is not None
    if engine == ONNXRUNTIME and not installed:
        raise EdgeoptError("onnxruntime is not installed: pip install onnxruntime, or leave --engine away")
    engine = engine or (ONNXRUNTIME if installed else REFERENCE)
    open_regular(path).close()  # the engines would wait at a FIFO
    make = _onnxruntime if engine == ONNXRUNTIME else _reference
    try:
        runner = make(path)
    except Exception as error:
        raise EdgeoptError(f"{engine} cannot open the original '{path}': {error}") from error

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        try:
            return runner(inputs)
        except Exception as error:
            raise EdgeoptError(f"{engine} cannot run the original '{path}' on these inputs: {error}") from error

    return engine, run


def _onnxruntime(path: Path) -> Runner:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run


def _reference(path: Path) -> Runner:
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load(path))

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        outputs = evaluator.run(None, dict(inputs))
        return {name: np.asarray(out) for name, out in zip(evaluator.output_names, outputs, strict=True)}

    return run
