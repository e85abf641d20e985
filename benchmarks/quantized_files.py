"""QDQ files for timing, made by onnxruntime's static quantization: ``python -m benchmarks.quantized_files OUT MODEL...``.

Calibration is random, so the files are for timing only: ``python -m benchmarks.peers OUT/*.int8.onnx`` runs them on every engine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.peers import random_inputs
from edgeopt.ir import Array


def quantized(model: Path, destination: Path) -> None:
    """Write ``model`` quantised per channel, activations uint8 and weights int8."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, sample: dict[str, Array]) -> None:
            self.samples = iter([sample])

        def get_next(self) -> dict[str, Array] | None:
            return next(self.samples, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(str(prepared), str(destination), Reader(random_inputs(model)), per_channel=True, **types)


def main() -> None:
    """Quantise every model into the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="+", type=Path)
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    for model in a.models:
        quantized(model, a.folder / f"{model.stem}.int8.onnx")


if __name__ == "__main__":
    main()
