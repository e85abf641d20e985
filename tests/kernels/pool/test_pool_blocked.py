from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.kernels.conv.conv_blocked import KERNEL as CONV
from edgeopt.kernels.pool.global_pool_blocked import KERNEL as GLOBAL
from edgeopt.kernels.pool.pool_blocked import KERNEL
from edgeopt.ops import infer_types
from tests.kernels.harness import check, uniform

SIZES = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33]


def behind_convolution(op: str, x: Array, attributes: Mapping[str, Attribute]) -> Graph:
    """A blocked pool follows the layout of its input, so a 1x1 convolution stands in front."""
    graph = Graph("pool", opsets={"": 21, OWN_DOMAIN: 1})
    graph.inputs = [Value("x", TensorType("float32", x.shape))]
    weight = graph.constant("w", uniform(x.shape[1], x.shape[1], 1, 1))
    conv = graph.make("Conv", [graph.inputs[0], weight], [None])
    graph.outputs = [graph.make(op, [conv.output], [None], attributes=attributes).output]
    infer_types(graph)
    return graph


CASES: dict[str, tuple[tuple[int, ...], dict[str, Attribute]]] = {
    "2x2": ((1, 20, 8, 8), {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "3x3 padded": ((2, 16, 13, 15), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "3x3 stride 1": ((1, 16, 9, 40), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "3x2 uneven": ((1, 16, 9, 10), {"kernel_shape": [3, 2], "strides": [1, 2], "pads": [2, 0, 0, 1]}),
    "rounded up": ((1, 16, 12, 12), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    "rounded up, padded": ((1, 16, 12, 14), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1], "ceil_mode": 1}),
    "one wide row": ((1, 16, 1, 70), {"kernel_shape": [1, 5], "strides": [1, 1], "pads": [0, 2, 0, 2]}),
}


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(op: str, case: str) -> None:
    shape, attributes = CASES[case]
    data = {"x": uniform(*shape)}
    check(behind_convolution(op, data["x"], attributes), data, [KERNEL, CONV])


def test_mean_that_counts_its_pads() -> None:
    data = {"x": uniform(1, 16, 9, 9)}
    attributes: dict[str, Attribute] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}
    check(behind_convolution("AveragePool", data["x"], attributes), data, [KERNEL, CONV])


@pytest.mark.parametrize("size", SIZES)
def test_channels_and_widths_around_the_vector_width(size: int) -> None:
    data = {"x": uniform(1, size, 4, 34 - size)}
    attributes: dict[str, Attribute] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    check(behind_convolution("MaxPool", data["x"], attributes), data, [KERNEL, CONV])


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(1, 16, 7, 7), (2, 33, 1, 1), (1, 40, 20, 31)])
def test_global(op: str, shape: tuple[int, ...]) -> None:
    data = {"x": uniform(*shape)}
    check(behind_convolution(op, data["x"], {}), data, [GLOBAL, CONV])


def test_mean_over_height_and_width() -> None:
    data = {"x": uniform(1, 24, 6, 5)}
    graph = behind_convolution("GlobalAveragePool", data["x"], {})
    old = graph.nodes[1]
    mean = graph.make("ReduceMean", [old.inputs[0], graph.constant("axes", np.array([-1, 2]))], [old.output.type])
    graph.outputs = [mean.output]
    graph.erase(old)
    check(graph, data, [GLOBAL, CONV])
