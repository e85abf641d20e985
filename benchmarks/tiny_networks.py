"""Networks of microcontrollers with random weights: MobileNet v1 0.25 for 96 x 96 pixels, an autoencoder of ten layers."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgeopt.ir import Array

# output channels of each pair and the stride of its depthwise layer
PAIRS = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
UNITS = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)


class _Draft:
    def __init__(self) -> None:
        self.random, self.nodes, self.tensors = np.random.default_rng(0), [], []  # type: ignore[var-annotated]
        self.last = "x"

    def op(self, kind: str, *arrays: Array, **attributes: object) -> None:
        """A node on the last value."""
        names = [f"t{len(self.tensors) + i}" for i in range(len(arrays))]
        self.tensors += [numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True)]
        made = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.last, *names], [made], **attributes))
        self.last = made

    def weight(self, *shape: int) -> Array:
        """Weights that keep the size of what they are applied to."""
        depth = int(np.prod(shape[1:]))
        return (self.random.standard_normal(shape) * (2 / depth) ** 0.5).astype(np.float32)

    def model(self, shape: list[int], result: list[int]) -> ModelProto:
        """The model from x to the last value."""
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, result)
        graph = helper.make_graph(self.nodes, "tiny", [x], [y], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def person_detection() -> ModelProto:
    """Two classes of images of 96 x 96 pixels."""
    d, channels = _Draft(), 8
    _conv(d, d.weight(8, 3, 3, 3), 2)
    for outputs, stride in PAIRS:
        _conv(d, d.weight(channels, 1, 3, 3), stride, channels)
        _conv(d, d.weight(outputs, channels, 1, 1), 1)
        channels = outputs
    d.op("GlobalAveragePool")
    d.op("Flatten")
    d.op("Gemm", d.weight(2, channels), np.zeros(2, np.float32), transB=1)
    return d.model([1, 3, 96, 96], [1, 2])


def _conv(d: _Draft, weight: Array, stride: int, group: int = 1) -> None:
    size = weight.shape[2]
    before, after = (0, 0) if size == 1 else (0, 1) if stride == 2 else (1, 1)
    bias = np.zeros(weight.shape[0], np.float32)
    d.op("Conv", weight, bias, strides=[stride] * 2, pads=[before] * 2 + [after] * 2, group=group)
    d.op("Relu")


def autoencoder() -> ModelProto:
    """640 features in and out."""
    d = _Draft()
    for i, (inputs, outputs) in enumerate(zip(UNITS[:-1], UNITS[1:], strict=True)):
        d.op("Gemm", d.weight(outputs, inputs), np.zeros(outputs, np.float32), transB=1)
        if i < len(UNITS) - 2:
            d.op("Relu")
    return d.model([1, 640], [1, 640])
