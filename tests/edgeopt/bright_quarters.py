"""A small classifier and data for it: which quarter of an image is brightest, in noise."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from edgeopt.evaluate.data import DataSet
from tests.edgeopt.small_models import info

CLASSES = 4


def blobs(count: int, seed: int) -> DataSet:
    """Images with a bright quarter, which is their class, and noise that hides it in some."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    x = rng.standard_normal((count, 1, 8, 8)).astype(np.float32)
    x *= rng.uniform(0.1, 2.5, (count, 1, 1, 1)).astype(np.float32)
    for k, label in enumerate(labels):
        x[k, 0, 4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 0.8
    return DataSet({"x": x}, labels)


def network() -> ModelProto:
    """Two convolutions that pass the image on, and quarters averaged: right wherever the noise allows."""
    first = np.zeros((4, 1, 3, 3), np.float32)
    first[:, 0, 1, 1] = 1.0
    second = np.zeros((4, 4, 3, 3), np.float32)
    second[:, :, 1, 1] = np.eye(4)
    last = np.zeros((4 * 4, CLASSES), np.float32)
    last[:4] = np.eye(4)
    constants = [numpy_helper.from_array(a, n) for n, a in (("a", first), ("b", second), ("c", last))]
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["u"], "first", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Conv", ["u", "b"], ["v"], "second", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("AveragePool", ["v"], ["q"], "quarters", kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["q"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "c"], ["y"], "last"),
    ]
    graph = helper.make_graph(nodes, "blobs", [info("x", [1, 1, 8, 8])], [info("y", [1, CLASSES])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
