"""onnxruntime's own static post-training quantization, as its users run it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edgeopt.accuracy.data import DataSet
from edgeopt.ir import Array


def by_onnxruntime(model: Path, calibration: DataSet, evaluation: DataSet) -> Array:
    """The first output on ``evaluation`` after per-channel min-max quantization with ``calibration``."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.samples = iter([{k: v[i : i + 1] for k, v in calibration.arrays.items()} for i in range(len(calibration))])

        def get_next(self) -> dict[str, Array] | None:
            return next(self.samples, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared, result = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(str(prepared), str(result), Reader(), per_channel=True, **types)
        session = onnxruntime.InferenceSession(str(result), providers=["CPUExecutionProvider"])
        count, arrays = len(evaluation), evaluation.arrays
        return np.concatenate([session.run(None, {k: v[i : i + 1] for k, v in arrays.items()})[0] for i in range(count)])
