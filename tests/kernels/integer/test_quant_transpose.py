"""Integer transposed convolutions against their meaning, and the same codes on every target."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.ir.clone import clone
from edgeopt.kernels.integer.quant_transpose import KERNEL
from edgeopt.kernels.integer.quant_transpose_plain import KERNEL as PLAIN
from edgeopt.ops import infer_types
from edgeopt.runtime.emulate import Emulator
from tests.drawing import RNG
from tests.kernels.conv.test_conv_transpose_blocked import CASES
from tests.kernels.harness import run
from tests.kernels.quant_harness import Grid, codes, compare, expected

X, Y = Grid(0.02, 117), Grid(0.08, 131)
TOOLS = ("qemu-aarch64", "aarch64-linux-gnu-gcc")


def graph_of(
    shape: tuple[int, ...], weight: Array, attributes: dict[str, Attribute], x: Grid = X, y: Grid | None = Y, one: bool = False
) -> Graph:
    """A QuantConvTranspose with a bias, and one scale for each output channel of all groups (``one``: in all)."""
    graph = Graph("transposed", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value("x", TensorType(x.dtype, shape))]
    count = 1 if one else weight.shape[1]
    outputs = weight.shape[1] * int(str(attributes.get("group", 1)))
    arrays = [*x.arrays, weight, RNG.uniform(0.001, 0.004, count).astype(np.float32), np.zeros(count, weight.dtype)]
    arrays += [RNG.integers(-20000, 20000, outputs).astype(np.int32), *(() if y is None else y.arrays)]
    inputs = [graph.inputs[0], *(graph.constant("c", a) for a in arrays)]
    made = graph.make("QuantConvTranspose", inputs, [None], domain=OWN_DOMAIN, name="node", attributes=attributes)
    graph.outputs = [made.output]
    infer_types(graph)
    return graph


@pytest.mark.parametrize("where", ["host", "x86-64-v3"])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_its_meaning(case: str, where: str) -> None:
    shape, weight, attributes = CASES[case]
    graph, data = graph_of(shape, codes("int8", *weight), {**attributes, "activation": "Relu"}), {"x": codes("uint8", *shape)}
    truth = expected(graph, data)
    assert len(np.unique(truth)) > 3, "the activation leaves some of it"
    for by_chunks in (False, True):
        compare(run(graph, data, [KERNEL], where, by_chunks), truth)


def test_groups_read_words() -> None:
    shape, weight, attributes = CASES["grouped in blocks"]
    grid = Grid(0.0004, -300, "int16")
    graph = graph_of(shape, codes("int8", *weight), attributes, grid, Grid(0.002, 0, "int16"))
    data = {"x": codes("int16", *shape)}
    compare(run(graph, data, [KERNEL]), expected(graph, data))


@pytest.mark.parametrize("case", ["grouped in blocks", "3x3 stride 2, phases of 1 to 4 taps"])
@pytest.mark.parametrize("kind", ["", "HardSwish"])
@pytest.mark.parametrize("one", [True, False])
def test_any_shape_by_definition(case: str, kind: str, one: bool) -> None:
    shape, weight, attributes = CASES[case]
    graph = graph_of(shape, codes("int8", *weight), {**attributes, "activation": kind}, one=one)
    data = {"x": codes("uint8", *shape)}
    compare(run(graph, data, [PLAIN]), expected(graph, data))


@pytest.mark.parametrize("table", [KERNEL, PLAIN])
def test_signed_codes_to_float(table: object) -> None:
    shape, weight, attributes = CASES["4x4 stride 2"]
    graph = graph_of(shape, codes("int8", *weight), attributes, Grid(0.03, -5, "int8"), None)
    data = {"x": codes("int8", *shape)}
    np.testing.assert_allclose(run(graph, data, [table]), expected(graph, data), rtol=1e-5, atol=1e-4)  # type: ignore[list-item]


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="no emulator or compiler")
@pytest.mark.parametrize("target", ["arm", "cortex-a76"])
def test_same_codes_on_arm(target: str) -> None:
    shape, weight, attributes = CASES["3x3 stride 2, phases of 1 to 4 taps"]
    graph = graph_of(shape, np.maximum(codes("int8", *weight), -127), attributes, Grid(0.02, 7, "int8"))
    data = {"x": codes("int8", *shape)}
    host = run(clone(graph), data, [KERNEL])
    with Emulator(edgeopt.compile(graph, level=0, target=target)) as emulator:
        np.testing.assert_array_equal(next(iter(emulator.run(data).values())), host)
