"""QDQ files for timing, by onnxruntime's static quantization: ``python -m benchmarks.quantized_files OUT MODEL... --measure``.

Per channel, weights int8, activations uint8 (``--signed``: int8). Calibration is random, so the files are for timing only.
``--measure`` times them on every engine, as ``python -m benchmarks.peers OUT/*.int8.onnx`` does, and says which products and
how many conversions between numbers and codes are left in each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.peers import PEERS, measure, random_inputs, show
from benchmarks.quantization_peer import Settings, quantize_file
from edgeopt.evaluate.data import DataSet
from edgeopt.frontend import load
from edgeopt.pipeline import optimize

PRODUCTS = ("FusedConv", "FusedGemm", "FusedAttention", "ConvTranspose", "MatMul", "Gemm", "Einsum", "LSTM", "GRU", "RNN")
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


def quantized(model: Path, folder: Path, signed: bool) -> Path:
    """The file of ``model`` in ``folder``, made where it is not there yet."""
    made = folder / f"{model.stem}.{'s8' if signed else 'int8'}.onnx"
    if not made.exists():
        quantize_file(model, made, DataSet(random_inputs(model)), Settings(signed=signed))
    return made


def left_in_float(path: Path) -> str:
    """What the passes leave of float products and of conversions."""
    graph = load(path)
    optimize(graph)
    products = [node.op for node in graph.nodes if node.op in PRODUCTS]
    conversions = sum(node.op in CONVERSIONS for node in graph.nodes)
    counted = ", ".join(f"{products.count(op)} {op}" for op in dict.fromkeys(products))
    return f"{path.stem}: {conversions} conversions; products in float: {counted or 'none'}"


def main() -> None:
    """Quantise every model into the folder, and time the files when asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--signed", action="store_true", help="activations are int8")
    parser.add_argument("--measure", action="store_true", help="time the files on every engine")
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--seconds", type=float, default=3.0, help="time per engine and network")
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    files = [quantized(model, a.folder, a.signed) for model in a.models]
    if not a.measure:
        return
    engines = ["edgeopt", *PEERS]
    show([measure(path, t, engines, a.seconds, {"level": 2}) for path in files for t in a.threads], engines)
    for path in files:
        print(left_in_float(path))


if __name__ == "__main__":
    main()
