"""Compile the digits network, run it on its evaluation images, and show what compiling changed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

import edgeopt
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from edgeopt.report.layers import layers, totals

HERE = Path(__file__).resolve().parent
MODEL, DATA = HERE / "digits.onnx", HERE / "digits.eval.npz"
ARTIFACT = HERE.parent / "build" / "digits.edgeopt"
REPEATS = 200

Predict = Callable[[Array], Array]


def main() -> None:
    """Compile, save, load, run, and print one table."""
    with np.load(DATA) as data:
        images, labels = data["image"], data["labels"]
    edgeopt.compile(MODEL, level=2).save(ARTIFACT)
    model = edgeopt.load(ARTIFACT)
    engine, original = _original()

    def compiled(x: Array) -> Array:
        return model.run({"image": x})["logits"]

    table = Table("", f"before ({engine})", "after (edgeopt -O2)")
    for name, old, new in zip(("nodes", "MACs", "parameter bytes"), _cost(load(MODEL)), _cost(model.graph), strict=True):
        table.add_row(name, f"{old:,}", f"{new:,}")
    table.add_row("accuracy", _accuracy(original, images, labels), _accuracy(compiled, images, labels))
    table.add_row("ms per image", f"{_milliseconds(original, images):.4f}", f"{_milliseconds(compiled, images):.4f}")
    Console(width=100).print(table)
    print(f"{len(images)} evaluation images, one at a time on one thread; the compiled model lies in {ARTIFACT}")


def _original() -> tuple[str, Predict]:
    """The model as it was: in onnxruntime where that is installed, else operator by operator through onnx.reference."""
    if find_spec("onnxruntime") is None:
        graph = load(MODEL)

        def by_meaning(x: Array) -> Array:
            return np.concatenate([interpret(graph, {"image": image[None]})["logits"] for image in x])

        return "by meaning", by_meaning
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(MODEL), settings, providers=["CPUExecutionProvider"])
    return "onnxruntime", lambda x: np.asarray(session.run(None, {"image": x})[0])


def _cost(graph: Graph) -> tuple[int, int, int]:
    sums = totals(layers(graph))
    return sums.nodes, sums.macs, sums.parameter_bytes


def _accuracy(predict: Predict, images: Array, labels: Array) -> str:
    return f"{100 * float(np.mean(np.argmax(predict(images), 1) == labels)):.2f} %"


def _milliseconds(predict: Predict, images: Array) -> float:
    """Shortest time of one image over REPEATS calls, after a warm-up."""
    predict(images[:1])
    times = []
    for index in range(REPEATS):
        started = perf_counter()
        predict(images[index : index + 1])
        times.append(perf_counter() - started)
    return 1000 * min(times)


if __name__ == "__main__":
    main()
