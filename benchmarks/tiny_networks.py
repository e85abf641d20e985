"""Networks of microcontrollers with random weights: MobileNet v1 0.25 for 96 x 96 pixels, an autoencoder of ten layers."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from benchmarks.draft import Draft
from edgeopt.ir import Array

# output channels of each pair and the stride of its depthwise layer
PAIRS = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
UNITS = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)


def person_detection() -> ModelProto:
    """Two classes of images of 96 x 96 pixels."""
    d, channels = Draft(), 8
    _conv(d, d.weight(8, 3, 3, 3), 2)
    for outputs, stride in PAIRS:
        _conv(d, d.weight(channels, 1, 3, 3), stride, channels)
        _conv(d, d.weight(outputs, channels, 1, 1), 1)
        channels = outputs
    d.op("GlobalAveragePool")
    d.op("Flatten")
    d.dense(2, channels)
    return d.model([1, 3, 96, 96], [1, 2])


def _conv(d: Draft, weight: Array, stride: int, group: int = 1) -> None:
    size = weight.shape[2]
    before, after = (0, 0) if size == 1 else (0, 1) if stride == 2 else (1, 1)
    bias = np.zeros(weight.shape[0], np.float32)
    d.op("Conv", weight, bias, strides=[stride] * 2, pads=[before] * 2 + [after] * 2, group=group)
    d.op("Relu")


def autoencoder() -> ModelProto:
    """640 features in and out."""
    d = Draft()
    for i, (inputs, outputs) in enumerate(zip(UNITS[:-1], UNITS[1:], strict=True)):
        d.dense(outputs, inputs, "Relu" if i < len(UNITS) - 2 else "")
    return d.model([1, 640], [1, 640])
