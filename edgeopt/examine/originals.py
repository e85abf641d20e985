"""Running the original model, independent of edgeopt: onnxruntime with optimizations off, or onnx.reference without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner

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

    model = onnx.load(path)
    old = any(opset.domain in ("", "ai.onnx") and opset.version < 19 for opset in model.opset_import)
    if old:  # bodies of functions would not know the new operator
        evaluator = ReferenceEvaluator(onnx.inliner.inline_local_functions(model), new_ops=[_dequantize_linear()])
    else:
        evaluator = ReferenceEvaluator(model)

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        outputs = evaluator.run(None, dict(inputs))
        return {name: np.asarray(out) for name, out in zip(evaluator.output_names, outputs, strict=True)}

    return run


def _dequantize_linear() -> Any:
    """DequantizeLinear before opset 19, which the evaluator does not know: that of 19 without what was new in it."""
    from onnx.reference.ops import op_dequantize_linear

    old: Any = op_dequantize_linear.DequantizeLinear_19

    class DequantizeLinear(old):  # type: ignore[misc]  # its base is typed too narrowly
        def _run(self, x: Array, scale: Array, zero_point: Any = None, axis: Any = None, **_: object) -> Any:
            return super()._run(x, scale, zero_point, axis=axis)

    return DequantizeLinear
