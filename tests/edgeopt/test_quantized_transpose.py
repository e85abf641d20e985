"""Transposed convolutions among the layers that are quantised: what they read, their grids, and their code."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import parser

import edgeopt
from edgeopt.evaluate.batched import BATCHED
from edgeopt.evaluate.data import generated
from edgeopt.forms.moments import grouped, sampled_rows, ungrouped
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from edgeopt.ops.grids import quantizable_nodes
from tests.edgeopt.test_any_network import LEAST_DECIBEL, constant, decibel
from tests.kernels.conv.test_conv_transpose_blocked import CASES
from tests.kernels.harness import single, uniform

EXPLICIT = [name for name, (_, _, attributes) in CASES.items() if not {"output_shape", "auto_pad"} & set(attributes)]


@pytest.mark.parametrize("case", EXPLICIT)
def test_many_samples_and_what_they_multiply_are_the_definition(case: str) -> None:
    shape, size, attributes = CASES[case]
    x, weight = uniform(*shape), uniform(*size)
    bias = uniform(size[1] * int(str(attributes.get("group", 1))))
    graph = single("ConvTranspose", {"x": x}, [weight, bias], attributes)
    (node,) = quantizable_nodes(graph)
    (expected,) = interpret(graph, {"x": x}).values()
    made = BATCHED["ConvTranspose"](node, [x, weight, bias])
    assert made is not None
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)

    (rows,) = sampled_rows(node, [x], 1, 0, share=expected.size)
    products = np.matmul(rows, grouped(node, weight).transpose(0, 2, 1))  # [groups, samples * positions, outputs]
    products = products.reshape(len(rows), len(x), -1, products.shape[2]).transpose(1, 0, 3, 2).reshape(expected.shape)
    np.testing.assert_allclose(products + bias.reshape(-1, 1, 1), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(ungrouped(node, grouped(node, weight), weight.shape), weight)


def unet(group: int) -> Graph:
    """Down by a pool and up again, joined with what was there, whose grid it shares."""
    weights = [((16, 3, 3, 3), "u"), ((32, 16, 3, 3), "v"), ((32, 16 // group, 2, 2), "w"), ((2, 32, 1, 1), "o")]
    body = " ".join(constant(name, shape, i, 0.2) for i, (shape, name) in enumerate(weights)) + (
        f" {constant('b', (16,), 9)}"
        " a = Conv<pads = [1,1,1,1]>(x, u) c = Relu(a) p = MaxPool<kernel_shape = [2,2], strides = [2,2]>(c)"
        " d = Conv<pads = [1,1,1,1]>(p, v) e = Relu(d)"
        f" t = ConvTranspose<strides = [2,2], group = {group}>(e, w, b) f = Relu(t)"
        " j = Concat<axis = 1>(f, c) y = Conv(j, o)"
    )
    return load(parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> net (float[1,3,8,12] x) => (y) {{ {body} }}'))


@pytest.mark.parametrize("group", [1, 2, 16])
def test_a_unet_is_integers_from_end_to_end(group: int) -> None:
    graph = unet(group)
    data = generated(graph, 12)
    options = edgeopt.Options(quantize="w8a8")
    model = edgeopt.compile(graph, level=3, data=data, calibration=data, max_drop=100.0, options=options)
    made = model.graph.nodes
    (up,) = [n for n in made if n.op == "QuantConvTranspose"]
    assert not [n for n in made if n.op in ("FusedConv", "ConvTranspose")] and not model.manifest["fallbacks"]
    scales = up.constant(4)
    assert scales is not None and scales.size == 16 // group, "one for each output of a group"
    calls = [data.take(slice(i, i + 1)).arrays for i in range(len(data))]
    expected = np.stack([interpret(graph, call)["y"] for call in calls])
    found = np.stack([model.run(call)["y"] for call in calls])
    assert decibel(expected, found) > LEAST_DECIBEL
    for _ in range(20):
        for call, alone in zip(calls, found, strict=True):
            np.testing.assert_array_equal(model.run(call, threads=2)["y"], alone)


@pytest.mark.parametrize("form", ["w8", "w8a8-dynamic"])
def test_schemes_without_a_kernel_leave_it_and_say_so(form: str) -> None:
    graph = unet(1)
    model = edgeopt.compile(graph, level=3, options=edgeopt.Options(quantize=form))
    assert any(n.op == "ConvTranspose" for n in model.graph.nodes)
