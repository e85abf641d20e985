"""What other engines say about a model: generated inputs, onnxruntime without optimizations, comparison of outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgeopt.ir import Array, dtype_name, numpy_dtype

SETS = 3  # of generated inputs: standard, small, large
TOLERANCE = {"float16": 4e-3, "bfloat16": 2e-2, "float32": 1e-4, "float64": 1e-6}


def generated_inputs(model: onnx.ModelProto, number: int) -> dict[str, Array]:
    """Input set ``number``: normal numbers and integers below 3; zeros and ones; large numbers and integers outside most ranges.

    Open dimensions are 1. Raises ValueError for more dimensions than numpy has.
    """
    rng, stored = np.random.default_rng(number), {tensor.name for tensor in model.graph.initializer}
    return {v.name: _array(v.type.tensor_type, rng, number) for v in model.graph.input if v.name not in stored}


def _array(type_: onnx.TypeProto.Tensor, rng: np.random.Generator, number: int) -> Array:
    shape = [d.dim_value if d.HasField("dim_value") else 1 for d in type_.shape.dim]
    dtype = numpy_dtype(dtype_name(type_.elem_type))
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        low, high = ((0, 3), (1, 2), (-9 if dtype.kind == "i" else 0, 100))[number]
        return rng.integers(low, high, shape).astype(dtype)
    return np.asarray(rng.standard_normal(shape) * (1.0, 0.0, 50.0)[number]).astype(dtype)


def onnxruntime_outputs(model: bytes | str, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs by name, computed operator by operator. Raises what onnxruntime raises."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an npz file of our own."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def difference(wanted: Mapping[str, Array], got: Mapping[str, Any]) -> str:
    """A sentence about the first output that is not as wanted, '' when all are."""
    for name, want in wanted.items():
        have = got.get(name)
        if not isinstance(have, np.ndarray):
            return f"output '{name}' is missing"
        if have.shape != want.shape or have.dtype != want.dtype:
            return f"output '{name}' is {have.dtype}{list(have.shape)}, right is {want.dtype}{list(want.shape)}"
        if not _close(want, have):
            return f"output '{name}' differs by {_worst(want, have):.3g}"
    return ""


def _close(want: Array, have: Array) -> bool:
    if want.dtype.kind in "iub":
        return bool(np.array_equal(want, have))
    tolerance = TOLERANCE.get(want.dtype.name, 0.0)
    a, b = want.astype(np.float64), have.astype(np.float64)
    finite = np.isfinite(a)
    scale = max(1.0, float(np.abs(a[finite]).max(initial=0.0)))
    return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True))


def _worst(want: Array, have: Array) -> float:
    with np.errstate(all="ignore"):
        return float(np.abs(want.astype(np.float64) - have.astype(np.float64)).max(initial=0.0))
