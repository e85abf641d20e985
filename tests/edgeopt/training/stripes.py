"""A small network and the samples it learns: stripes across, along, or none, in noise."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgeopt.evaluate.data import DataSet
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from tests.edgeopt.small_models import info, model

SIZE, CLASSES = 8, 3


def samples(count: int, seed: int = 0) -> DataSet:
    """Maps [count, 1, 8, 8] with their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    waves = np.sin(np.arange(SIZE) * 2.2 + rng.uniform(0, 6, (count, 1)))
    across, along = waves[:, None, :, None], waves[:, None, None, :]
    clean = np.where(labels[:, None, None, None] == 0, across, np.where(labels[:, None, None, None] == 1, along, 0.0))
    maps = np.broadcast_to(clean, (count, 1, SIZE, SIZE)) + 0.6 * rng.standard_normal((count, 1, SIZE, SIZE))
    return DataSet({"x": maps.astype(np.float32)}, labels)


def network(seed: int = 0, width: int = 8, convolutions: int = 2, opset: int = 17) -> ModelProto:
    """Convolutions with Relu, a mean over the map, a product; weights are random."""
    rng, nodes, constants, source, inputs = np.random.default_rng(seed), [], [], "x", 1
    for i in range(convolutions):
        constants += _layer(rng, f"{i}", (width, inputs, 3, 3), 9 * inputs)
        nodes.append(helper.make_node("Conv", [source, f"w{i}", f"b{i}"], [f"c{i}"], f"conv{i}", pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"], f"relu{i}"))
        source, inputs = f"r{i}", width
    constants += _layer(rng, "g", (width, CLASSES), width)
    nodes.append(helper.make_node("GlobalAveragePool", [source], ["p"], "pool"))
    nodes.append(helper.make_node("Flatten", ["p"], ["f"], "flatten"))
    nodes.append(helper.make_node("Gemm", ["f", "wg", "bg"], ["y"], "gemm"))
    return model(nodes, [info("x", [1, 1, SIZE, SIZE])], [info("y", [1, CLASSES])], constants, opset)


def _layer(rng: np.random.Generator, name: str, shape: tuple[int, ...], inputs: int) -> list[TensorProto]:
    weight = (rng.standard_normal(shape) * (2 / inputs) ** 0.5).astype(np.float32)
    bias = np.zeros(shape[-1] if len(shape) == 2 else shape[0], np.float32)
    return [numpy_helper.from_array(weight, f"w{name}"), numpy_helper.from_array(bias, f"b{name}")]


def exact(proto: ModelProto) -> Graph:
    """The optimised graph."""
    graph = load(proto)
    optimize(graph, 1, Context(level=1))
    return graph
