"""Train the digits network with numpy alone and write digits.onnx, digits.eval.npz and digits.cal.npz beside this file.

The network is small but has what edge networks are made of: convolution, batch norm and ReLU, a depthwise-separable layer, a
residual block, pooling and a Gemm head. Batch norm stays unfolded so that the compiler has something to do. The data are the
1,797 8x8 images of scikit-learn; training (1,197), calibration (200) and evaluation (400) are disjoint. Takes 15 seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper
from sklearn.datasets import load_digits

from examples.digits_layers import (
    BatchNorm,
    Convolution,
    Exporter,
    Floats,
    Head,
    Layer,
    MaxPool,
    Relu,
    Residual,
    backward,
    export,
    forward,
    leaves,
)

Integers = npt.NDArray[np.int64]
HERE = Path(__file__).resolve().parent
SEED, EPOCHS, BATCH, RATE = 7, 30, 32, 2e-3
CALIBRATION, EVALUATION = 200, 400


def build(rng: np.random.Generator) -> list[Layer]:
    """The network: [N, 1, 8, 8] in, [N, 10] logits out."""
    first: list[Layer] = [Convolution(rng, 1, 16, 3), BatchNorm(16), Relu()]
    depthwise: list[Layer] = [Convolution(rng, 16, 16, 3, depthwise=True), BatchNorm(16), Relu()]
    pointwise: list[Layer] = [Convolution(rng, 16, 32, 1), BatchNorm(32), Relu(), MaxPool()]
    body: list[Layer] = [Convolution(rng, 32, 32, 3), BatchNorm(32), Relu(), Convolution(rng, 32, 32, 3), BatchNorm(32)]
    return [*first, *depthwise, *pointwise, Residual(body), Relu(), Head(rng, 32)]


def train(layers: list[Layer], x: Floats, labels: Integers, rng: np.random.Generator) -> None:
    """Cross entropy by Adam (Kingma and Ba 2015, algorithm 1) with a cosine rate and random shifts by one pixel."""
    moments = [[(np.zeros_like(w), np.zeros_like(w)) for w in leaf.weights] for leaf in leaves(layers)]
    steps, step = EPOCHS * (len(x) // BATCH), 0
    for epoch in range(EPOCHS):
        order, loss = rng.permutation(len(x)), 0.0
        for start in range(0, len(x) - BATCH + 1, BATCH):
            pick = order[start : start + BATCH]
            logits = forward(layers, _shifted(x[pick], rng), training=True)
            share, gradient = _cross_entropy(logits, labels[pick])
            backward(layers, gradient)
            step += 1
            _adam(layers, moments, step, RATE * 0.5 * (1 + np.cos(np.pi * step / steps)))
            loss += share
        print(f"epoch {epoch + 1:2d}  loss {loss / (len(x) // BATCH):.4f}")


def _shifted(x: Floats, rng: np.random.Generator) -> Floats:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.stack([p[:, i : i + 8, j : j + 8] for p, (i, j) in zip(padded, rng.integers(0, 3, (len(x), 2)), strict=True)])


def _cross_entropy(logits: Floats, labels: Integers) -> tuple[float, Floats]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = powers / powers.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -float(np.log(probabilities[rows, labels] + 1e-12).mean())
    probabilities[rows, labels] -= 1
    return loss, probabilities / np.float32(len(labels))


def _adam(layers: list[Layer], moments: list[list[tuple[Floats, Floats]]], step: int, rate: float) -> None:
    for leaf, pairs in zip(leaves(layers), moments, strict=True):
        for weight, gradient, (first, second) in zip(leaf.weights, leaf.gradients, pairs, strict=True):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            corrected = np.sqrt(second / (1 - 0.999**step)) + 1e-8
            weight -= (rate / (1 - 0.9**step) * first / corrected).astype(np.float32)


def to_onnx(layers: list[Layer]) -> onnx.ModelProto:
    """The trained network as a checked ONNX model with a symbolic batch ``N``."""
    graph = Exporter()
    export(layers, graph, "image")
    graph.nodes[-1].output[0] = "logits"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])
    body = helper.make_graph(graph.nodes, "digits", [image], [logits], graph.weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 21)], ir_version=10, producer_name="train_digits")
    onnx.checker.check_model(model, full_check=True)
    return model


def split(rng: np.random.Generator) -> tuple[tuple[Floats, Integers], ...]:
    """Training, calibration and evaluation images ([n, 1, 8, 8], 0..1) with labels, disjoint."""
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)[:, None]
    order = rng.permutation(len(x))
    parts = np.split(order, [len(x) - CALIBRATION - EVALUATION, len(x) - EVALUATION])
    return tuple((x[p], digits.target[p].astype(np.int64)) for p in parts)


def main() -> None:
    """Train, write the files, and print the accuracy on the evaluation images."""
    rng = np.random.default_rng(SEED)
    training, calibration, evaluation = split(rng)
    layers = build(rng)
    train(layers, *training, rng)
    x, labels = evaluation
    accuracy = float((forward(layers, x, training=False).argmax(1) == labels).mean())
    onnx.save(to_onnx(layers), HERE / "digits.onnx")
    np.savez_compressed(HERE / "digits.cal.npz", image=calibration[0], labels=calibration[1])
    np.savez_compressed(HERE / "digits.eval.npz", image=x, labels=labels)
    size = (HERE / "digits.onnx").stat().st_size
    print(f"digits.onnx: {size / 1000:.0f} kB, {100 * accuracy:.2f} % of {len(x)} evaluation images")


if __name__ == "__main__":
    main()
