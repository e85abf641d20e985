"""onnxruntime's own static post-training quantization, as its users run it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.ir import Array


@dataclass(frozen=True)
class Settings:
    """What onnxruntime is asked for. ``prepared``: batch norms are folded and shapes inferred first, as its guide says."""

    per_channel: bool = True
    operators: bool = False
    signed: bool = False
    prepared: bool = True

    def __str__(self) -> str:
        form = "QOperator" if self.operators else "QDQ"
        words = [form, "per channel" if self.per_channel else "per tensor", "s8" if self.signed else "u8"]
        return ", ".join(words + ([] if self.prepared else ["unprepared"]))


def quantize_file(model: Path, destination: Path, calibration: DataSet, settings: Settings) -> None:
    """Write ``model`` quantised by min-max calibration; weights are int8."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.samples = iter([{k: v[i : i + 1] for k, v in calibration.arrays.items()} for i in range(len(calibration))])

        def get_next(self) -> dict[str, Array] | None:
            return next(self.samples, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx" if settings.prepared else model
        if settings.prepared:
            quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(destination),
            Reader(),
            per_channel=settings.per_channel,
            quant_format=QuantFormat.QOperator if settings.operators else QuantFormat.QDQ,
            activation_type=QuantType.QInt8 if settings.signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def by_onnxruntime(model: Path, calibration: DataSet, evaluation: DataSet) -> Array:
    """The first output on ``evaluation`` after per-channel min-max quantization with ``calibration``."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "quantized.onnx"
        quantize_file(model, result, calibration, Settings())
        session = onnxruntime.InferenceSession(str(result), providers=["CPUExecutionProvider"])
        count, arrays = len(evaluation), evaluation.arrays
        return np.concatenate([session.run(None, {k: v[i : i + 1] for k, v in arrays.items()})[0] for i in range(count)])
