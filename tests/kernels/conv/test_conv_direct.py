from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN, Array, Attribute
from edgeopt.kernels.conv import conv_direct
from edgeopt.ops import evaluate
from tests.kernels.one_node import agree, compiled, kernels, normal, one_node

Case = tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]
CASES: dict[str, Case] = {
    "plain": ((2, 3, 8, 9), (4, 3, 3, 3), {}),
    "padded": ((2, 3, 8, 9), (4, 3, 3, 3), {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    "grouped": ((2, 4, 8, 9), (6, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "depthwise, dilated": ((1, 4, 11, 9), (4, 1, 3, 2), {"group": 4, "dilations": [2, 3], "pads": [3, 3, 3, 3]}),
    "same upper": ((1, 2, 8, 9), (3, 2, 3, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    "same lower": ((1, 2, 8, 9), (3, 2, 3, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    "valid": ((1, 2, 8, 9), (3, 2, 3, 4), {"auto_pad": "VALID"}),
    "one dimension": ((1, 2, 9), (3, 2, 3), {"pads": [1, 1]}),
    "three dimensions": ((1, 2, 5, 6, 7), (3, 2, 2, 3, 3), {"pads": [1, 1, 1, 1, 1, 1], "strides": [2, 1, 2]}),
    "more padding than map": ((1, 2, 2, 2), (1, 2, 5, 5), {"pads": [4, 4, 4, 4]}),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case: str) -> None:
    shape, weight, attributes = CASES[case]
    agree(conv_direct, "Conv", [normal(*shape), normal(*weight), normal(weight[0])], attributes, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floats(dtype: str) -> None:
    tolerance = 2e-2 if dtype == "float16" else 1e-12
    agree(conv_direct, "Conv", [normal(1, 2, 6, 6, dtype=dtype), normal(3, 2, 3, 3, dtype=dtype)], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["", "Relu", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish", "Sigmoid", "Silu", "Tanh", "Gelu"])
def test_residual_and_activation(kind: str) -> None:
    attributes: dict[str, Attribute] = {"activation": kind, "pads": [1, 1, 1, 1]}
    if kind == "Clip":
        attributes |= {"alpha": -0.5, "beta": 0.75}
    inputs: list[Array] = [normal(1, 3, 6, 7), normal(4, 3, 3, 3), normal(4), normal(1, 4, 6, 7)]
    graph = one_node("FusedConv", inputs, attributes, domain=OWN_DOMAIN)
    result = compiled(graph, kernels(conv_direct)).run({f"x{i}": a for i, a in enumerate(inputs)})
    np.testing.assert_allclose(next(iter(result.values())), evaluate(graph.nodes[0], inputs)[0], rtol=1e-5, atol=1e-5)


def test_rows_shared_by_two_threads() -> None:
    agree(conv_direct, "Conv", [normal(1, 8, 30, 31), normal(8, 8, 3, 3)], rtol=1e-4, atol=1e-4, threads=2)
