"""Small integer graphs for maps that lie channels last, and this machine described as a microcontroller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.ops import infer_types
from edgeopt.target import Target, host


def scalar_host(fpu: bool = True, registers: int = 28) -> Target:
    """This machine as one without vectors."""
    return replace(host(), vector_bytes=4, vector_registers=registers, fpu=fpu, dot4="", lookup="")


@dataclass(frozen=True)
class Layer:
    """A convolution of the input of a graph."""

    outputs: int
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    depthwise: bool = False
    activation: str = ""


def network(layers: Sequence[Layer], shape: tuple[int, ...], dtype: str = "int8", seed: int = 0) -> tuple[Graph, Array]:
    """A graph with an output for each of ``layers``, and codes for its input."""
    random, graph = np.random.default_rng(seed), Graph("layers", opsets={"": 21, "ai.edgeopt": 1})
    x = Value("x", TensorType(dtype, shape))
    graph.inputs, graph.outputs = [x], []
    for number, layer in enumerate(layers):
        graph.outputs.append(_layer(graph, x, layer, random, number))
    infer_types(graph)
    limits = np.iinfo(dtype)
    return graph, random.integers(limits.min, limits.max + 1, shape).astype(dtype)


def _layer(graph: Graph, x: Value, layer: Layer, random: np.random.Generator, number: int) -> Value:
    assert x.type is not None
    channels, dtype = x.type.dims[1], x.type.dtype
    group = channels if layer.depthwise else 1
    weight = random.integers(-127, 128, (layer.outputs, channels // group, *layer.kernel)).astype(np.int8)
    depth = weight[0].size
    scale = (random.uniform(0.5, 1.5, layer.outputs) / (60 * depth**0.5)).astype(np.float32)
    zero, result = np.array(7 if dtype == "int8" else 130, dtype), np.array(-9 if dtype == "int8" else 120, dtype)
    bias = random.integers(-3000, 3000, layer.outputs).astype(np.int32)
    unit, fine = np.array(0.02, np.float32), np.array(0.031, np.float32)
    arrays = [unit, zero, weight, scale, np.zeros(layer.outputs, np.int8), bias, fine, result]
    attributes: dict[str, Attribute] = {"strides": layer.strides, "pads": layer.pads, "dilations": layer.dilations}
    attributes |= {"kernel_shape": layer.kernel, "group": group}
    attributes |= {"activation": layer.activation} if layer.activation else {}
    inputs: list[Value | None] = [x, *(graph.constant(f"c{number}", a) for a in arrays)]
    return graph.make("QuantConv", inputs, [None], domain=OWN_DOMAIN, name=f"layer{number}", attributes=attributes).output


LAYERS = (
    Layer(6, (3, 3), pads=(1, 1, 1, 1), activation="Relu"),
    Layer(5, (1, 1)),
    Layer(17, (1, 1), strides=(2, 2)),
    Layer(4, (2, 3), strides=(2, 1), pads=(0, 2, 1, 0)),
    Layer(3, (3, 3), pads=(2, 2, 2, 2), dilations=(2, 2)),
    Layer(2, (3, 5), pads=(1, 3, 1, 3), activation="HardSwish"),
)


def depthwise(channels: int) -> tuple[Layer, ...]:
    """Depthwise layers over ``channels``."""
    return (
        Layer(channels, (3, 3), pads=(1, 1, 1, 1), depthwise=True),
        Layer(channels, (3, 3), strides=(2, 2), pads=(0, 0, 1, 1), depthwise=True, activation="Relu"),
        Layer(channels, (5, 2), strides=(3, 1), pads=(2, 1, 2, 0), depthwise=True),
        Layer(channels, (1, 3), pads=(0, 2, 0, 2), dilations=(1, 2), depthwise=True),
    )


def chain(layers: Sequence[Layer], shape: tuple[int, ...], seed: int = 0) -> tuple[Graph, Array]:
    """A graph in which every layer reads the one before, whose last two results are added, and codes for its input."""
    random, graph = np.random.default_rng(seed), Graph("chain", opsets={"": 21, "ai.edgeopt": 1})
    values = [Value("x", TensorType("int8", shape))]
    graph.inputs = list(values)
    for number, layer in enumerate(layers):
        values.append(_layer(graph, values[-1], layer, random, number))
        infer_types(graph)
    grid = [graph.constant("g", a) for a in (np.array(0.031, np.float32), np.array(-9, np.int8))]
    inputs: list[Value | None] = [values[-1], *grid, values[-2], *grid, *grid]
    graph.outputs = [graph.make("QuantAdd", inputs, [None], domain=OWN_DOMAIN, name="sum").output]
    infer_types(graph)
    return graph, random.integers(-128, 128, shape).astype(np.int8)


CHAIN = (
    Layer(16, (3, 3), pads=(1, 1, 1, 1), activation="Relu"),
    Layer(16, (3, 3), pads=(1, 1, 1, 1), depthwise=True),
    Layer(24, (1, 1)),
    Layer(8, (3, 3), strides=(2, 2), pads=(0, 0, 1, 1)),
    Layer(8, (5, 5), pads=(2, 2, 2, 2), depthwise=True),
    Layer(8, (3, 1), pads=(1, 0, 1, 0)),
)
