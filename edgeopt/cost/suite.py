"""The layers that calibrate the cost model: small networks of common operators, in all caches and beyond them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgeopt.target import Target

Shape = Sequence[int]


class Network:
    """Builds a network node by node; every method returns the name of what it made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._random = np.random.default_rng(0)
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._inputs: list[Any] = []
        self._read: set[str] = set()

    def input(self, *shape: int) -> str:
        """A float32 input."""
        name = f"x{len(self._inputs)}"
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def constant(self, array: Any) -> str:
        """An initializer."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape: int) -> str:
        """Random weights."""
        return self.constant(self._random.normal(0, 0.1, shape).astype(np.float32))

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """One node."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [name], f"{op.lower()}{len(self._nodes)}", **attributes))
        self._read |= set(inputs)
        return name

    def conv(self, x: str, channels: int, outputs: int, size: int, stride: int = 1, group: int = 1) -> str:
        """Convolution, bias and Relu."""
        weight, bias, pad = self.weight(outputs, channels // group, size, size), self.weight(outputs), size // 2
        made = self.node("Conv", x, weight, bias, strides=[stride] * 2, pads=[pad] * 4, group=group)
        return self.node("Relu", made)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        """Matrix product with bias."""
        return self.node("Gemm", x, self.weight(inputs, outputs), self.weight(outputs))

    def model(self) -> ModelProto:
        """The network; what no node reads is an output."""
        ends = [n.output[0] for n in self._nodes if n.output[0] not in self._read]
        outputs = [helper.make_tensor_value_info(end, TensorProto.FLOAT, None) for end in ends]
        graph = helper.make_graph(self._nodes, self.name, self._inputs, outputs, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def suite(target: Target) -> Iterator[ModelProto]:
    """The networks, small to large."""
    yield _backbone("small", 16, 32)
    yield _backbone("large", 32, 96)
    yield _elementwise()
    yield _dense("dense_near", (256, 512, 256, 64))
    yield _dense("dense_far", (1024, 1024, 1024, 512))
    if target.l3:
        yield _dense("dense_memory", (4096, max(1024, 2 * target.l3 // (4 * 4096)), 256))


def _backbone(name: str, width: int, side: int) -> ModelProto:
    n, w = Network(name), width
    x = n.conv(n.input(1, 3, side, side), 3, w, 3, 2)
    x = n.conv(n.conv(x, w, w, 3, 1, w), w, 2 * w, 1)
    x = n.conv(n.conv(x, 2 * w, 2 * w, 3, 2, 2 * w), 2 * w, 2 * w, 1)
    y = n.conv(x, 2 * w, 2 * w, 3)
    x = n.node("MaxPool", n.node("Add", x, y), kernel_shape=[2, 2], strides=[2, 2])
    y = n.conv(n.conv(x, 2 * w, w // 2, 1), w // 2, 2 * w, 3)
    x = n.conv(n.node("Concat", x, y, axis=1), 4 * w, 4 * w, 3, 2)
    x = n.conv(n.conv(x, 4 * w, 4 * w, 5, 1, 4 * w), 4 * w, 8 * w, 1)
    x = n.node("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    x = n.node("Flatten", n.node("GlobalAveragePool", x))
    n.node("Softmax", n.dense(x, 8 * w, 100), axis=1)
    return n.model()


def _elementwise() -> ModelProto:
    n = Network("elementwise")
    for side, channels in ((8, 24), (20, 48), (64, 40)):
        x = n.input(1, channels, side, side)
        for op in ("Sigmoid", "Tanh", "Relu", "HardSwish", "Exp", "Sqrt"):
            n.node(op, x)
        n.node("Clip", x, n.constant(np.float32(0)), n.constant(np.float32(6)))
        n.node("Mul", x, n.input(1, channels, side, side))
        n.node("Add", x, n.weight(1, channels, 1, 1))
        n.node("Div", x, n.input(1, channels, side, 1))
        n.node("Transpose", x, perm=[0, 2, 3, 1])
        n.node("Softmax", x, axis=3)
        n.node("ReduceMean", x, axes=[3])
        n.node("ReduceMax", x, axes=[1])
        n.node("Resize", x, "", n.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest")
        n.node("Pad", x, n.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)))
        n.node("Slice", x, *(n.constant(np.array([v], np.int64)) for v in (1, channels - 1, 1)))
        n.node("LeakyRelu", n.node("ConvTranspose", x, n.weight(channels, 8, 2, 2), strides=[2, 2]))
        n.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    return n.model()


def _dense(name: str, widths: Sequence[int]) -> ModelProto:
    n = Network(name)
    x = n.input(1, widths[0])
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        x = n.node("Relu", n.dense(x, inputs, outputs))
    return n.model()
