"""Integer kernels give the same codes on Arm, emulated, as on the host: with the 8-bit dot product, without, and with 32 bits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import numpy as np
import pytest

import edgeopt
from edgeopt.ir import Array, Attribute, Graph
from edgeopt.ir.clone import clone
from edgeopt.kernels.integer.quant_product_plain import KERNELS as PLAIN
from edgeopt.runtime.emulate import Emulator
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.integer.test_quant_blocked import behind_copies
from tests.kernels.integer.test_quant_gemm import product
from tests.kernels.quant_harness import Grid, codes, compare, conv_graphs, expected

ARM64, ARM32 = ("qemu-aarch64", "aarch64-linux-gnu-gcc"), ("qemu-arm", "arm-linux-gnueabihf-gcc")
TARGETS = [
    pytest.param(name, marks=pytest.mark.skipif(not all(map(shutil.which, tools)), reason=f"no emulator or compiler for {name}"))
    for name, tools in (("arm", ARM64), ("cortex-a76", ARM64), ("armv7", ARM32))
]
PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
Case = tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]
CASES: dict[str, Case] = {
    "3x3": ((1, 20, 9, 7), (24, 20, 3, 3), {**PADS, "activation": "Relu"}),
    "3x3 strided": ((1, 24, 9, 11), (17, 24, 3, 3), {**PADS, "strides": [2, 2]}),
    "3x3 dilated": ((1, 9, 9, 8), (31, 9, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "grouped": ((1, 32, 6, 5), (48, 16, 3, 3), {**PADS, "group": 2}),
    "1x1": ((2, 40, 5, 5), (72, 40, 1, 1), {}),
    "image": ((1, 3, 11, 9), (12, 3, 5, 5), {"pads": [2, 2, 2, 2], "strides": [2, 1]}),
    "one channel": ((1, 1, 20, 10), (20, 1, 10, 4), {"pads": [4, 1, 5, 1], "strides": [2, 2]}),
    "two channels": ((1, 2, 9, 7), (9, 2, 3, 3), PADS),
    "depthwise": ((1, 24, 9, 7), (24, 1, 3, 3), {**PADS, "group": 24}),
    "depthwise strided": ((1, 9, 8, 11), (9, 1, 5, 4), {"pads": [2, 1, 2, 2], "group": 9, "strides": [2, 2]}),
    "depthwise dilated": ((1, 17, 9, 8), (17, 1, 3, 3), {"pads": [2, 2, 2, 2], "group": 17, "dilations": [2, 2]}),
}


def same(graph: Graph, data: Mapping[str, Array], target: str) -> Array:
    """The result on ``target``, which is that of the host's plain kernels."""
    with Emulator(edgeopt.compile(clone(graph), level=0, target=target)) as emulator:
        there = next(iter(emulator.run(data).values()))
    np.testing.assert_array_equal(there, run(graph, data, PLAIN))
    return there


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case, dtype", [*((c, "int8") for c in CASES), *((c, "uint8") for c in ("3x3", "image", "depthwise"))])
def test_same_codes_as_the_host(case: str, dtype: str, target: str) -> None:
    shape, weight, attributes = CASES[case]
    grids = [Grid(s, z - (128 if dtype == "int8" else 0), dtype) for s, z in ((0.02, 117), (0.06, 120), (0.05, 3))]
    scale = RNG.uniform(0.001, 0.004, weight[0]).astype(np.float32)
    zeros, added = np.zeros(weight[0], np.int8), grids[2] if case == "3x3" else None
    least = -127 if case != "3x3 strided" else -128  # products of two weights of -128 do not fit 16 bits
    w = np.maximum(codes("int8", *weight), least)
    graph, meaning = conv_graphs(grids[0], shape, w, scale, zeros, None, grids[1], attributes, added)
    data: dict[str, Array] = {v.name: codes(dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    compare(same(graph, data, target), expected(meaning, data))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("least", [-127, -128])
@pytest.mark.parametrize("depthwise", [False, True])
def test_never_saturates_inside(depthwise: bool, least: int, target: str) -> None:
    """Codes and weights at the ends of their ranges: most of the products have the largest magnitude there is."""
    x = np.where(RNG.random((1, 16, 5, 6)) < 0.9, -128, 127).astype(np.int8)
    w = np.where(RNG.random((16, 1 if depthwise else 16, 3, 3)) < 0.9, least, 127).astype(np.int8)
    scale, zeros = np.full(16, 1e-3 if depthwise else 1e-4, np.float32), np.zeros(16, np.int8)
    attributes: dict[str, Attribute] = {**PADS, "group": 16} if depthwise else PADS
    graph, _ = conv_graphs(Grid(0.02, 5, "int8"), x.shape, w, scale, zeros, None, Grid(0.1, -100, "int8"), attributes)
    same(graph, {"x": x}, target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("rows, depth, columns", [((1,), 64, 40), ((2, 3), 17, 33), ((40,), 70, 24)])
def test_product(rows: tuple[int, ...], depth: int, columns: int, dtype: str, target: str) -> None:
    graph = product(rows, depth, columns, dtype, residual=True)
    same(graph, {v.name: codes(dtype, *v.type.dims) for v in graph.inputs if v.type is not None}, target)


X, Y, Z = Grid(0.02, 117), Grid(0.0313, 60), Grid(0.0507, 128)
BLOCKED: dict[str, tuple[str, int, list[Array | int], dict[str, Attribute]]] = {
    "lookup": ("QuantLookup", 1, [0, RNG.permutation(256).astype(np.uint8)], {}),
    "concat": ("QuantConcat", 2, [*Z.arrays, 0, *X.arrays, 1, *Y.arrays], {"axis": 1}),
    "add": ("QuantAdd", 2, [0, *X.arrays, 1, *Y.arrays, *Z.arrays], {"activation": "HardSwish"}),
    "mul": ("QuantMul", 2, [0, *X.arrays, 1, *Y.arrays, *Z.arrays], {}),
    "average": ("QuantAveragePool", 1, [0, *X.arrays, *Y.arrays], {"kernel_shape": [3, 2], **PADS, "strides": [2, 1]}),
    "global average": ("QuantGlobalAveragePool", 1, [0, *X.arrays, *Y.arrays], {}),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", BLOCKED)
def test_blocked_operators(case: str, target: str) -> None:
    op, count, inputs, attributes = BLOCKED[case]
    graph = behind_copies(op, (2, 16, 5, 9), count, inputs, attributes)
    data = {v.name: codes("uint8", *v.type.dims) for v in graph.inputs if v.type is not None}
    host = edgeopt.compile(clone(graph), level=0).run(data)
    with Emulator(edgeopt.compile(graph, level=0, target=target)) as emulator:
        there = emulator.run(data)
    for (name, here), other in zip(host.items(), there.values(), strict=True):
        np.testing.assert_array_equal(other, here, err_msg=name)
