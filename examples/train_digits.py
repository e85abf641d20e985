"""Train the digits network with numpy alone and write digits.onnx, digits.eval.npz and digits.cal.npz beside this file.

The network is small but has what edge networks are made of: convolution, batch norm and ReLU, a depthwise-separable layer, a
residual block, pooling and a Gemm head. Batch norm stays unfolded so that the compiler has something to do. The data are the
1,797 8x8 images of scikit-learn; training (1,197), calibration (200) and evaluation (400) are disjoint. Takes 15 seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
HERE = Path(__file__).resolve().parent
SEED, EPOCHS, BATCH, RATE = 7, 30, 32, 2e-3
CALIBRATION, EVALUATION = 200, 400


class Exporter:
    """Collects the nodes and initializers of the ONNX graph."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: list[str], arrays: dict[str, Floats] | None = None, **attributes: Any) -> str:
        """Append a node that reads ``inputs`` and then ``arrays``; returns the name of its output."""
        name = f"{op.lower()}_{len(self.nodes)}"
        for key, array in (arrays or {}).items():
            inputs = [*inputs, f"{name}.{key}"]
            self.weights.append(numpy_helper.from_array(array, f"{name}.{key}"))
        self.nodes.append(helper.make_node(op, inputs, [f"{name}.out"], name, **attributes))
        return f"{name}.out"


class Layer:
    """One layer: ``forward`` keeps what ``backward`` needs; ``weights`` and ``gradients`` are parallel lists."""

    def __init__(self) -> None:
        self.weights: list[Floats] = []
        self.gradients: list[Floats] = []

    def forward(self, x: Floats, training: bool) -> Floats:
        """The layer's output for a batch."""
        raise NotImplementedError

    def backward(self, dy: Floats) -> Floats:
        """Fill ``gradients`` from dL/dy; returns dL/dx."""
        raise NotImplementedError

    def export(self, graph: Exporter, x: str) -> str:
        """Append this layer to ``graph``; returns the name of its output."""
        raise NotImplementedError


class Convolution(Layer):
    """k x k convolution, stride 1, same size, no bias; depthwise when ``depthwise``. He initialisation."""

    def __init__(self, rng: np.random.Generator, ins: int, outs: int, k: int, depthwise: bool = False) -> None:
        super().__init__()
        self.k, self.depthwise = k, depthwise
        per_group = 1 if depthwise else ins
        scale = np.sqrt(2 / (per_group * k * k))
        self.weights = [rng.normal(0, scale, (outs, per_group, k, k)).astype(np.float32)]

    def _taps(self, padded: Floats) -> Iterator[tuple[int, int, Floats]]:
        size = padded.shape[2] - self.k + 1
        for i in range(self.k):
            for j in range(self.k):
                yield i, j, padded[:, :, i : i + size, j : j + size]

    def forward(self, x: Floats, training: bool) -> Floats:
        edge = self.k // 2
        self.padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
        (w,) = self.weights
        y = np.zeros((x.shape[0], w.shape[0], *x.shape[2:]), np.float32)
        for i, j, tap in self._taps(self.padded):
            y += tap * w[:, 0, i, j, None, None] if self.depthwise else _mix(w[:, :, i, j], tap)
        return y

    def backward(self, dy: Floats) -> Floats:
        (w,) = self.weights
        dw, dx = np.zeros_like(w), np.zeros_like(self.padded)
        for (i, j, tap), (_, _, into) in zip(self._taps(self.padded), self._taps(dx), strict=True):
            if self.depthwise:
                dw[:, 0, i, j] = np.einsum("nchw,nchw->c", dy, tap)
                into += dy * w[:, 0, i, j, None, None]
            else:
                dw[:, :, i, j] = np.tensordot(dy, tap, ([0, 2, 3], [0, 2, 3]))
                into += _mix(w[:, :, i, j].T, dy)
        self.gradients = [dw]
        edge = self.k // 2
        return dx[:, :, edge : dx.shape[2] - edge, edge : dx.shape[3] - edge]

    def export(self, graph: Exporter, x: str) -> str:
        (w,) = self.weights
        group = w.shape[0] if self.depthwise else 1
        return graph.add("Conv", [x], {"weight": w}, kernel_shape=[self.k] * 2, pads=[self.k // 2] * 4, group=group)


def _mix(matrix: Floats, x: Floats) -> Floats:
    """Channel mixing: [outs, ins] times [batch, ins, height, width]."""
    n, c, h, w = x.shape
    return (matrix @ x.reshape(n, c, h * w)).reshape(n, -1, h, w)


class BatchNorm(Layer):
    """Batch normalisation over batch and space, with running statistics for inference."""

    def __init__(self, channels: int, momentum: float = 0.9, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.weights = [np.ones(channels, np.float32), np.zeros(channels, np.float32)]
        self.mean, self.variance = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, x: Floats, training: bool) -> Floats:
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
            self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
            self.variance = self.momentum * self.variance + (1 - self.momentum) * variance
        self.inverse = _channels(1 / np.sqrt(variance + self.epsilon))
        self.normal = (x - _channels(mean)) * self.inverse
        scale, shift = self.weights
        y: Floats = self.normal * _channels(scale) + _channels(shift)
        return y

    def backward(self, dy: Floats) -> Floats:
        self.gradients = [(dy * self.normal).sum((0, 2, 3)), dy.sum((0, 2, 3))]
        dn = dy * _channels(self.weights[0])
        along = (dn * self.normal).mean((0, 2, 3), keepdims=True)
        dx: Floats = self.inverse * (dn - dn.mean((0, 2, 3), keepdims=True) - self.normal * along)
        return dx

    def export(self, graph: Exporter, x: str) -> str:
        scale, shift = self.weights
        arrays = {"scale": scale, "bias": shift, "mean": self.mean, "variance": self.variance}
        return graph.add("BatchNormalization", [x], arrays, epsilon=self.epsilon)


def _channels(vector: Floats) -> Floats:
    return vector.astype(np.float32)[:, None, None]


class Relu(Layer):
    """max(x, 0)."""

    def forward(self, x: Floats, training: bool) -> Floats:
        self.positive = x > 0
        return np.where(self.positive, x, np.float32(0))

    def backward(self, dy: Floats) -> Floats:
        return np.where(self.positive, dy, np.float32(0))

    def export(self, graph: Exporter, x: str) -> str:
        return graph.add("Relu", [x])


class MaxPool(Layer):
    """2 x 2 maximum, stride 2."""

    def forward(self, x: Floats, training: bool) -> Floats:
        n, c, h, w = x.shape
        tiles = x.reshape(n, c, h // 2, 2, w // 2, 2)
        y: Floats = tiles.max((3, 5))
        self.winners = tiles == y[:, :, :, None, :, None]
        return y

    def backward(self, dy: Floats) -> Floats:
        n, c, h, w = dy.shape
        share = dy[:, :, :, None, :, None] / self.winners.sum((3, 5), keepdims=True)
        dx: Floats = (self.winners * share).reshape(n, c, 2 * h, 2 * w).astype(np.float32)
        return dx

    def export(self, graph: Exporter, x: str) -> str:
        return graph.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])


class Head(Layer):
    """Global average pool, then a Gemm to ten classes."""

    def __init__(self, rng: np.random.Generator, channels: int, classes: int = 10) -> None:
        super().__init__()
        weight = rng.normal(0, np.sqrt(1 / channels), (channels, classes)).astype(np.float32)
        self.weights = [weight, np.zeros(classes, np.float32)]

    def forward(self, x: Floats, training: bool) -> Floats:
        self.shape, self.pooled = x.shape, x.mean((2, 3))
        logits: Floats = self.pooled @ self.weights[0] + self.weights[1]
        return logits

    def backward(self, dy: Floats) -> Floats:
        self.gradients = [self.pooled.T @ dy, dy.sum(0)]
        spread = (dy @ self.weights[0].T)[:, :, None, None] / (self.shape[2] * self.shape[3])
        return np.broadcast_to(spread, self.shape).astype(np.float32)

    def export(self, graph: Exporter, x: str) -> str:
        flat = graph.add("Flatten", [graph.add("GlobalAveragePool", [x])], axis=1)
        return graph.add("Gemm", [flat], {"weight": self.weights[0], "bias": self.weights[1]})


class Residual(Layer):
    """x + body(x)."""

    def __init__(self, body: list[Layer]) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Floats, training: bool) -> Floats:
        return x + _forward(self.body, x, training)

    def backward(self, dy: Floats) -> Floats:
        return dy + _backward(self.body, dy)

    def export(self, graph: Exporter, x: str) -> str:
        return graph.add("Add", [_export(self.body, graph, x), x])


def _forward(layers: list[Layer], x: Floats, training: bool) -> Floats:
    for layer in layers:
        x = layer.forward(x, training)
    return x


def _backward(layers: list[Layer], dy: Floats) -> Floats:
    for layer in reversed(layers):
        dy = layer.backward(dy)
    return dy


def _export(layers: list[Layer], graph: Exporter, x: str) -> str:
    for layer in layers:
        x = layer.export(graph, x)
    return x


def build(rng: np.random.Generator) -> list[Layer]:
    """The network: [N, 1, 8, 8] in, [N, 10] logits out."""
    first: list[Layer] = [Convolution(rng, 1, 16, 3), BatchNorm(16), Relu()]
    depthwise: list[Layer] = [Convolution(rng, 16, 16, 3, depthwise=True), BatchNorm(16), Relu()]
    pointwise: list[Layer] = [Convolution(rng, 16, 32, 1), BatchNorm(32), Relu(), MaxPool()]
    body: list[Layer] = [Convolution(rng, 32, 32, 3), BatchNorm(32), Relu(), Convolution(rng, 32, 32, 3), BatchNorm(32)]
    return [*first, *depthwise, *pointwise, Residual(body), Relu(), Head(rng, 32)]


def leaves(layers: list[Layer]) -> Iterator[Layer]:
    """Every layer with weights of its own."""
    for layer in layers:
        yield from leaves(layer.body) if isinstance(layer, Residual) else [layer]


def train(layers: list[Layer], x: Floats, labels: Integers, rng: np.random.Generator) -> None:
    """Cross entropy by Adam (Kingma and Ba 2015, algorithm 1) with a cosine rate and random shifts by one pixel."""
    moments = [[(np.zeros_like(w), np.zeros_like(w)) for w in leaf.weights] for leaf in leaves(layers)]
    steps, step = EPOCHS * (len(x) // BATCH), 0
    for epoch in range(EPOCHS):
        order, loss = rng.permutation(len(x)), 0.0
        for start in range(0, len(x) - BATCH + 1, BATCH):
            pick = order[start : start + BATCH]
            logits = _forward(layers, _shifted(x[pick], rng), training=True)
            share, gradient = _cross_entropy(logits, labels[pick])
            _backward(layers, gradient)
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
    _export(layers, graph, "image")
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
    accuracy = float((_forward(layers, x, training=False).argmax(1) == labels).mean())
    onnx.save(to_onnx(layers), HERE / "digits.onnx")
    np.savez_compressed(HERE / "digits.cal.npz", image=calibration[0], labels=calibration[1])
    np.savez_compressed(HERE / "digits.eval.npz", image=x, labels=labels)
    size = (HERE / "digits.onnx").stat().st_size
    print(f"digits.onnx: {size / 1000:.0f} kB, {100 * accuracy:.2f} % of {len(x)} evaluation images")


if __name__ == "__main__":
    main()
