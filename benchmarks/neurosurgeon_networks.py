"""The networks of Neurosurgeon (Kang et al., ASPLOS 2017) with random weights, and DenseNet-121.

Shapes are those of the Tonic suite (Hauswald et al., ISCA 2015), from which the paper took them: one picture, 548 frames of
speech, 28 words of text. DeepFace is left out: its locally connected layers have no operator in ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import ModelProto

from benchmarks.draft import Draft
from edgeopt.ir import Array

WORDS, FRAMES = 28, 548
VGG19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels and convolutions in front of each pool
DENSENET121 = (6, 12, 24, 16)  # layers of each block
GROWTH = 32


def alexnet() -> ModelProto:
    """Two of its convolutions in groups, as the first one."""
    d = Draft()
    for outputs, inputs, size, stride, group in ((96, 3, 11, 4, 1), (256, 48, 5, 1, 2)):
        _conv(d, d.weight(outputs, inputs, size, size), stride, 0 if stride > 1 else size // 2, group)
        _pool(d, 3)
        d.op("LRN", size=5, alpha=1e-4, beta=0.75, bias=1.0)
    for outputs, inputs, group in ((384, 256, 1), (384, 192, 2), (256, 192, 2)):
        _conv(d, d.weight(outputs, inputs, 3, 3), 1, 1, group)
    _pool(d, 3)
    return _head(d, [1, 3, 227, 227], 9216)


def vgg19() -> ModelProto:
    """19 layers with weights."""
    d, inputs = Draft(), 3
    for channels, count in VGG19:
        for _ in range(count):
            _conv(d, d.weight(channels, inputs, 3, 3), 1, 1)
            inputs = channels
        _pool(d, 2)
    return _head(d, [1, 3, 224, 224], 25088)


def lenet() -> ModelProto:
    """One digit."""
    d = Draft()
    for outputs, inputs in ((20, 1), (50, 20)):
        _plain_conv(d, d.weight(outputs, inputs, 5, 5), 1, 0)
        _pool(d, 2)
    d.op("Flatten")
    d.dense(500, 800, "Relu")
    d.dense(10, 500, "Softmax")
    return d.model([1, 1, 28, 28], [1, 10])


def speech() -> ModelProto:
    """The acoustic model of Kaldi: 440 features of each frame, 1706 states."""
    d = Draft()
    for outputs, inputs in ((2048, 440), *((2048, 2048),) * 5):
        d.dense(outputs, inputs, "Sigmoid")
    d.dense(1706, 2048)
    return d.model([FRAMES, 440], [FRAMES, 1706])


def tagger(features: int, classes: int) -> ModelProto:
    """A network of SENNA: a window of words around each."""
    d = Draft()
    d.dense(300, features)
    d.op("Clip", np.float32(-1), np.float32(1))
    d.dense(classes, 300)
    return d.model([WORDS, features], [WORDS, classes])


def densenet121() -> ModelProto:
    """What is as branched as networks get: every layer of a block reads all those before it."""
    d, channels = Draft(), 64
    _plain_conv(d, d.weight(64, 3, 7, 7), 2, 3)
    _normal(d, 64)
    d.op("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for block, count in enumerate(DENSENET121):
        if block:
            channels //= 2
            _pre(d, channels, 2 * channels, 1)
            d.op("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
        for _ in range(count):
            before = d.last
            _pre(d, 4 * GROWTH, channels, 1)
            _pre(d, GROWTH, 4 * GROWTH, 3)
            d.join("Concat", [before, d.last], axis=1)
            channels += GROWTH
    _normal(d, channels)
    d.op("GlobalAveragePool")
    d.op("Flatten")
    d.dense(1000, channels)
    return d.model([1, 3, 224, 224], [1, 1000])


NETWORKS: Mapping[str, Callable[[], ModelProto]] = {
    "alexnet": alexnet,
    "vgg19": vgg19,
    "lenet": lenet,
    "speech": speech,
    "parts of speech": lambda: tagger(300, 45),
    "chunks": lambda: tagger(300, 42),
    "names": lambda: tagger(375, 17),
}


def _plain_conv(d: Draft, weight: Array, stride: int, pad: int, group: int = 1) -> None:
    d.op("Conv", weight, np.zeros(len(weight), np.float32), strides=[stride] * 2, pads=[pad] * 4, group=group)


def _conv(d: Draft, weight: Array, stride: int, pad: int, group: int = 1) -> None:
    _plain_conv(d, weight, stride, pad, group)
    d.op("Relu")


def _pool(d: Draft, size: int) -> None:
    d.op("MaxPool", kernel_shape=[size] * 2, strides=[2, 2])


def _head(d: Draft, shape: list[int], features: int) -> ModelProto:
    d.op("Flatten")
    d.dense(4096, features, "Relu")
    d.dense(4096, 4096, "Relu")
    d.dense(1000, 4096, "Softmax")
    return d.model(shape, [1, 1000])


def _normal(d: Draft, channels: int) -> None:
    """Normalisation and activation."""
    scale, shift = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    d.op("BatchNormalization", scale, shift, shift, scale)
    d.op("Relu")


def _pre(d: Draft, outputs: int, inputs: int, size: int) -> None:
    """A convolution behind its normalisation."""
    _normal(d, inputs)
    _plain_conv(d, d.weight(outputs, inputs, size, size), 1, size // 2)
