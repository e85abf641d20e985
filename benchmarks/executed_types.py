"""What other runtimes make of a file: the operators and the element types that they really execute."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx


def by_onnxruntime(path: Path, optimized: Path, signed: bool = True) -> Counter[str]:
    """Operators after onnxruntime's own optimizations, which it writes to ``optimized``.

    ``signed`` codes stay signed, as on Arm; by itself onnxruntime makes them unsigned first on x86.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.qdqisint8allowed", "1" if signed else "0")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(optimized).graph.node)


def by_openvino(path: Path) -> Counter[tuple[str, str]]:
    """(kind of layer, name of its implementation, which ends with the element type) of OpenVINO's compiled model."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(path)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    about = [op.get_rt_info() for op in compiled.get_runtime_model().get_ordered_ops()]
    return Counter((str(a["layerType"].astype(str)), str(a["primitiveType"].astype(str))) for a in about)
