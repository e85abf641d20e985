"""QuantConv and QuantGemm with codes of 16 bits: against exact arithmetic, and the same codes on every target."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import numpy as np
import pytest

import edgeopt
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.integer import (
    quant_conv,
    quant_depthwise,
    quant_depthwise_wide,
    quant_gemm,
    quant_product_plain,
    quant_split,
)
from edgeopt.ops import infer_types
from edgeopt.runtime.emulate import Emulator
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.quant_harness import Grid, codes

PLAIN = list(quant_product_plain.KERNELS)
TILES = [*(m.KERNEL for m in (quant_depthwise, quant_depthwise_wide, quant_conv, quant_gemm)), *quant_split.KERNELS]
TABLES = pytest.mark.parametrize("table", [TILES, PLAIN], ids=["tiles", "plain"])
PLACES = pytest.mark.parametrize(
    "table, where", [(TILES, "host"), (TILES, "x86-64-v3"), (PLAIN, "host")], ids=["tiles", "tiles-avx2", "plain"]
)
Shape = tuple[int, ...]
MIDDLE = {"uint8": 120, "int8": -7, "uint16": 31000, "int16": -300}


def grid(dtype: str, scale: float) -> Grid:
    return Grid(scale / (1 if dtype.endswith("int8") else 256), MIDDLE[dtype], dtype)


def layer(
    op: str, types: tuple[str, str, str], shape: Shape, weight: Array, attributes: dict[str, Attribute], result: float
) -> Graph:
    """One node whose x, residual ('' for none) and y have these types ('float32' allowed for y)."""
    graph = Graph("wide", opsets={"": 21, "ai.edgeopt": 1})
    x, r, y = (grid(t, s) if t not in ("", "float32") else None for t, s in zip(types, (0.02, 0.3, result), strict=True))
    assert x is not None
    graph.inputs = [Value("x", TensorType(x.dtype, shape))]
    count = weight.shape[0 if op == "QuantConv" else 1]
    scale = np.asarray(RNG.uniform(0.001, 0.004, count), np.float32)
    reach = 8_000 if x.dtype.endswith("int8") else 2_000_000
    bias = RNG.integers(-reach, reach, count).astype(np.int32)
    constants = [*x.arrays, weight, scale, np.zeros(count, np.int8), bias, *(y.arrays if y is not None else ())]
    inputs: list[Value | None] = [graph.inputs[0], *(graph.constant("c", a) for a in constants)]
    inputs += [None] * (9 - len(inputs))
    node = graph.make(op, inputs, [None], domain=OWN_DOMAIN, name="node", attributes=attributes)
    infer_types(graph)
    assert node.output.type is not None
    if r is not None:
        graph.inputs.append(Value("r", TensorType(r.dtype, node.output.type.dims)))
        added = [*inputs, graph.inputs[1], *(graph.constant("c", a) for a in r.arrays)]
        made = graph.make(op, added, [node.output.type], domain=OWN_DOMAIN, name="node", attributes=attributes)
        graph.erase(node)
        node = made
    graph.outputs = [node.output]
    return graph


def _number(graph: Graph, index: int) -> float:
    found = graph.nodes[0].constant(index)
    assert found is not None
    return float(found.reshape(()))


def exact(graph: Graph, data: dict[str, Array]) -> Array:
    """The result before it is rounded, in float64: sums in integers, then scaled."""
    (node,) = graph.nodes
    weight = node.constant(3)
    assert weight is not None
    x, w = data["x"].astype(np.float64) - _number(graph, 2), weight.astype(np.float64)
    sums = Graph("sums", opsets={"": 21})
    sums.inputs = [Value("x", TensorType("float64", x.shape))]
    kept = {k: v for k, v in node.attributes.items() if k not in ("activation", "alpha", "beta")}
    op = "Conv" if node.op == "QuantConv" else "MatMul"
    made = sums.make(op, [sums.inputs[0], sums.constant("w", w)], [None], attributes=kept)
    sums.outputs = [made.output]
    total = next(iter(interpret(sums, {"x": x}).values()))
    column = (-1, *[1] * (total.ndim - 2)) if op == "Conv" else (-1,)
    bias, scale = (np.asarray(node.constant(i), np.float64).reshape(column) for i in (6, 4))
    value: Array = np.asarray((total + bias) * scale * _number(graph, 1))
    if "r" in data:
        value = value + (data["r"].astype(np.float64) - _number(graph, 11)) * _number(graph, 10)
    return np.maximum(value, 0) if node.text("activation", "") == "Relu" else value


def check(graph: Graph, table: Sequence[Kernel], where: str = "host") -> None:
    data = {v.name: codes(v.type.dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    value, dtype = exact(graph, data), graph.outputs[0].type.dtype if graph.outputs[0].type is not None else ""
    for by_chunks in (False, True):
        result = run(graph, data, table, where, by_chunks)
        assert result.dtype.name == dtype
        if dtype == "float32":
            np.testing.assert_allclose(result, value, rtol=1e-6, atol=1e-6 * float(np.abs(value).max()))
            continue
        scale, zero = _number(graph, 7), _number(graph, 8)
        info = np.iinfo(dtype)
        real = np.clip(value / scale + zero, info.min, info.max)
        assert (np.abs(real - np.clip(real, info.min + 1, info.max - 1)) == 0).mean() > 0.3  # most are not saturated
        assert np.abs(result - real).max() <= 0.52  # nearest, but for the rounding of the multiplier


TYPES = [
    ("uint16", "", "uint16"),
    ("int16", "", "int16"),
    ("uint16", "uint16", "uint8"),
    ("int16", "int8", "int16"),
    ("uint8", "", "uint16"),
    ("int8", "int16", "int16"),
    ("uint8", "uint16", "uint8"),
    ("int16", "", "float32"),
]
CASES: dict[str, tuple[Shape, Shape, dict[str, Attribute], float]] = {
    "1x1": ((1, 32, 7, 7), (48, 32, 1, 1), {}, 0.2),
    "3x3 padded": ((2, 16, 9, 8), (20, 16, 3, 3), {"pads": [1, 1, 1, 1], "activation": "Relu"}, 0.4),
    "strided": ((1, 16, 11, 9), (16, 16, 3, 3), {"pads": [0, 1, 2, 0], "strides": [2, 1]}, 0.4),
    "grouped": ((1, 64, 6, 6), (96, 32, 3, 3), {"pads": [1, 1, 1, 1], "group": 2}, 0.5),
    "depthwise": ((1, 24, 9, 7), (24, 1, 3, 3), {"pads": [1, 1, 1, 1], "group": 24}, 0.1),
    "image": ((1, 3, 15, 13), (24, 3, 5, 5), {"pads": [2, 2, 2, 2], "strides": [2, 2]}, 0.3),
    "odd channels": ((1, 7, 5, 6), (9, 7, 3, 3), {"pads": [1, 1, 1, 1]}, 0.3),
    "beyond 32 bits": ((1, 144, 6, 6), (32, 144, 3, 3), {"pads": [1, 1, 1, 1]}, 1.1),
}


@TABLES
@pytest.mark.parametrize("types", TYPES, ids="-".join)
def test_conv_types(types: tuple[str, str, str], table: Sequence[Kernel]) -> None:
    check(layer("QuantConv", types, (1, 20, 6, 5), codes("int8", 24, 20, 3, 3), {"pads": [1, 1, 1, 1]}, 0.4), table)


@PLACES
@pytest.mark.parametrize("case", CASES)
def test_conv_shapes(case: str, where: str, table: Sequence[Kernel]) -> None:
    shape, weight, attributes, scale = CASES[case]
    for types in TYPES[:2]:
        check(layer("QuantConv", types, shape, codes("int8", *weight), attributes, scale), [*table, *PLAIN], where)


@TABLES
@pytest.mark.parametrize("types", TYPES, ids="-".join)
def test_gemm_types(types: tuple[str, str, str], table: Sequence[Kernel]) -> None:
    check(layer("QuantGemm", types, (3, 40), codes("int8", 40, 50), {"activation": "Relu"}, 0.3), table)


@PLACES
@pytest.mark.parametrize(
    "rows, depth, columns", [((1,), 37, 17), ((1,), 64, 100), ((2, 3), 16, 33), ((20,), 71, 40), ((2,), 1500, 20)]
)
def test_gemm_shapes(rows: Shape, depth: int, columns: int, where: str, table: Sequence[Kernel]) -> None:
    for types in TYPES[:2]:
        check(
            layer("QuantGemm", types, (*rows, depth), codes("int8", depth, columns), {}, 0.005 * depth**0.5 * 6),
            [*table, *PLAIN],
            where,
        )


EMULATORS = {"arm": "qemu-aarch64", "cortex-a76": "qemu-aarch64", "armv7": "qemu-arm"}
COMPILERS = {"qemu-aarch64": "aarch64-linux-gnu-gcc", "qemu-arm": "arm-linux-gnueabihf-gcc"}


@pytest.mark.parametrize("target", EMULATORS)
@pytest.mark.parametrize("case", ["3x3 padded", "depthwise", "beyond 32 bits", "gemm"])
def test_same_codes_on_arm(case: str, target: str) -> None:
    if not (shutil.which(EMULATORS[target]) and shutil.which(COMPILERS[EMULATORS[target]])):
        pytest.skip(f"no emulator or compiler for {target}")
    made = []
    for _ in range(2):
        state = RNG.bit_generator.state
        if case == "gemm":
            graph = layer("QuantGemm", ("int16", "int16", "int16"), (3, 40), codes("int8", 40, 50), {}, 0.3)
        else:
            shape, weight, attributes, scale = CASES[case]
            graph = layer("QuantConv", ("int16", "int16", "int16"), shape, codes("int8", *weight), attributes, scale)
        made.append(graph)
        RNG.bit_generator.state = state
    data = {v.name: codes(v.type.dtype, *v.type.dims) for v in made[0].inputs if v.type is not None}
    with Emulator(edgeopt.compile(made[0], level=0, target=target)) as emulator:
        there = next(iter(emulator.run(data).values()))
    here = next(iter(edgeopt.compile(made[1], level=0).run(data).values()))
    np.testing.assert_array_equal(there, here)


@pytest.mark.parametrize(
    "types", [("int16", "int16", "int16"), ("uint16", "uint8", "uint16"), ("int16", "", "float32")], ids="-".join
)
@pytest.mark.parametrize("op", ["QuantConv", "QuantGemm"])
def test_split_sums_are_the_same_in_tiles(op: str, types: tuple[str, str, str]) -> None:
    shape, weight, attributes, scale = CASES["beyond 32 bits"] if op == "QuantConv" else ((3, 1500), (1500, 20), {}, 1.2)
    graph = layer(op, types, shape, codes("int8", *weight), {**attributes, "activation": "Relu"}, scale)
    data = {v.name: codes(v.type.dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    plain = run(graph, data, PLAIN)
    for where in ("host", "x86-64-v3"):
        np.testing.assert_array_equal(run(graph, data, quant_split.KERNELS, where), plain)
    check(graph, quant_split.KERNELS)
