"""Layers of a small network in numpy: output, gradient and ONNX nodes of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Floats = npt.NDArray[np.float32]


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
        return x + forward(self.body, x, training)

    def backward(self, dy: Floats) -> Floats:
        return dy + backward(self.body, dy)

    def export(self, graph: Exporter, x: str) -> str:
        return graph.add("Add", [export(self.body, graph, x), x])


def forward(layers: list[Layer], x: Floats, training: bool) -> Floats:
    """The output of ``layers`` after each other."""
    for layer in layers:
        x = layer.forward(x, training)
    return x


def backward(layers: list[Layer], dy: Floats) -> Floats:
    """Fill the gradients of ``layers`` from dL/dy; returns dL/dx."""
    for layer in reversed(layers):
        dy = layer.backward(dy)
    return dy


def export(layers: list[Layer], graph: Exporter, x: str) -> str:
    """Append ``layers`` to ``graph``; returns the name of the last output."""
    for layer in layers:
        x = layer.export(graph, x)
    return x


def leaves(layers: list[Layer]) -> Iterator[Layer]:
    """Every layer with weights of its own."""
    for layer in layers:
        yield from leaves(layer.body) if isinstance(layer, Residual) else [layer]
