"""DynamicQuantizeLinear: the very codes, scales and zero points that its definition gives, in both layouts."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array, Graph, TensorType, Value
from edgeopt.kernels.conv import conv_blocked
from edgeopt.kernels.integer import dynamic_quantize
from edgeopt.kernels.pointwise import pointwise_blocked
from edgeopt.ops import infer_types
from tests.kernels.harness import uniform
from tests.kernels.one_node import agree, compiled, kernels, normal

TABLE = kernels(conv_blocked, pointwise_blocked, dynamic_quantize)


def truth(x: Array) -> list[Array]:
    """Codes, scale and zero point in float32 arithmetic, as onnxruntime takes them (scale 1 for zeros)."""
    low, high = min(np.float32(0), x.min()), max(np.float32(0), x.max())
    scale = (high - low) / np.float32(255) if high > low else np.float32(1)
    zero = np.clip(np.rint(-low / scale), 0, 255)
    return [np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8), np.array(scale, np.float32), np.array(zero, np.uint8)]


@pytest.mark.parametrize("shape", [(1,), (5,), (16,), (17,), (3, 40), (1, 784), (50_001,)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_sizes(shape: tuple[int, ...], threads: int) -> None:
    x = normal(*shape) * np.float32(3)
    agree(dynamic_quantize, "DynamicQuantizeLinear", [x], outputs=3, expected=truth(x), rtol=0, atol=0, threads=threads)


INPUTS = {
    "positive": np.abs(normal(3, 40)) + np.float32(1),
    "negative": -np.abs(normal(3, 40)) - np.float32(1),
    "constant": np.full((3, 40), 0.7, np.float32),
    "zeros": np.zeros((3, 40), np.float32),
    "tiny": normal(3, 40) * np.float32(1e-30),
    "huge": normal(3, 40) * np.float32(1e30),
    "halves": np.arange(-40, 216).astype(np.float32) / np.float32(2),
}


@pytest.mark.parametrize("name", INPUTS)
def test_ranges(name: str) -> None:
    x = INPUTS[name]
    agree(dynamic_quantize, "DynamicQuantizeLinear", [x], outputs=3, expected=truth(x), rtol=0, atol=0)


def behind_convolution(channels: int, halo: bool) -> Graph:
    """The codes of exp(conv(x)), whose lanes beyond the channels hold 1; a second reader may ask for a border."""
    graph = Graph("blocked", opsets={"": 21})
    graph.inputs = [Value("x", TensorType("float32", (2, channels, 6, 5)))]
    weight = graph.constant("w", -np.abs(uniform(channels, channels, 1, 1)) - np.float32(0.1))
    made = graph.make("Exp", [graph.make("Conv", [graph.inputs[0], weight], [None]).output], [None]).output
    codes = graph.make("DynamicQuantizeLinear", [made], [None] * 3)
    graph.outputs = [made, *codes.outputs]
    if halo:
        wide = graph.constant("w", uniform(channels, channels, 3, 3))
        graph.outputs.append(graph.make("Conv", [made, wide], [None], attributes={"pads": [1, 1, 1, 1]}).output)
    infer_types(graph)
    return graph


@pytest.mark.parametrize("halo", [False, True])
@pytest.mark.parametrize("channels", [7, 16, 33])
def test_blocked(channels: int, halo: bool) -> None:
    model = compiled(behind_convolution(channels, halo), TABLE)
    x = np.abs(normal(2, channels, 6, 5)) + np.float32(0.3)
    real, *found = list(model.run({"x": x}).values())[:4]
    assert real.max() < 0.99
    for actual, expected in zip(found, truth(real), strict=True):
        np.testing.assert_array_equal(actual, expected)
