"""QDQ files for timing, made by onnxruntime's static quantization: ``python -m benchmarks.quantized_files OUT MODEL...``.

Calibration is random, so the files are for timing only: ``python -m benchmarks.peers OUT/*.int8.onnx`` runs them on every engine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.peers import random_inputs
from benchmarks.quantization_peer import Settings, quantize_file
from edgeopt.evaluate.data import DataSet


def main() -> None:
    """Quantise every model into the folder: per channel, activations uint8 and weights int8."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="+", type=Path)
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    for model in a.models:
        quantize_file(model, a.folder / f"{model.stem}.int8.onnx", DataSet(random_inputs(model)), Settings())


if __name__ == "__main__":
    main()
