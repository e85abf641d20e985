"""Weights of four bits in integer tiles: half the bytes, and the same codes as with a byte for each."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.ir import Array, Attribute, Graph
from edgeopt.kernels.integer import quant_conv, quant_gemm, quant_nibbles
from edgeopt.kernels.integer.quant_nibbles import in_nibbles, packed
from edgeopt.kernels.integer.quant_product_plain import KERNELS as PLAIN
from edgeopt.lower.lowering import lower
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import host, target
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.integer.test_quant_plain import single
from tests.kernels.quant_harness import Grid, codes, conv_graphs

TABLE = [quant_conv.KERNEL, quant_gemm.KERNEL]
PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]] = {
    "1x1": ((1, 64, 7, 7), (48, 64, 1, 1), {}),
    "3x3": ((1, 20, 28, 26), (64, 20, 3, 3), PADS),
    "few tiles": ((1, 48, 3, 2), (64, 48, 3, 3), PADS),
}
PRODUCTS = {"one row": ((1,), 130, 300), "rows": ((40,), 70, 100)}
EMULATED = shutil.which("qemu-aarch64") and shutil.which("aarch64-linux-gnu-gcc")


def graphs() -> dict[str, Graph]:
    """Integer convolutions and products with weights in [-8, 7]."""
    made, x, y = {}, Grid(0.02, 117), Grid(0.05, 131)
    for name, (shape, weight, attributes) in CONVOLUTIONS.items():
        w, scale, zero = four_bits(*weight), RNG.uniform(0.01, 0.02, weight[0]).astype(np.float32), np.zeros(weight[0], np.int8)
        made[name], _ = conv_graphs(x, shape, w, scale, zero, None, y, attributes)
    for name, (rows, depth, columns) in PRODUCTS.items():
        grid = RNG.uniform(0.01, 0.02, columns).astype(np.float32), np.zeros(columns, np.int8)
        inputs: list[Array | int] = [0, *x.arrays, four_bits(depth, columns), *grid, np.zeros(columns, np.int32), *y.arrays]
        made[name] = single("QuantGemm", [(*rows, depth)], inputs, {}, "uint8")
    return made


def four_bits(*shape: int) -> Array:
    """Random codes of four bits in bytes."""
    return RNG.integers(-8, 8, shape).astype(np.int8)


GRAPHS = graphs()


@pytest.mark.parametrize("where", ["host", "x86-64-v3"])
@pytest.mark.parametrize("name", GRAPHS)
def test_same_codes_in_half_the_bytes(name: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, facts = GRAPHS[name], host() if where == "host" else target(where)
    data = {v.name: codes("uint8", *v.type.dims) for v in graph.inputs if v.type is not None}
    halves = lower(graph, facts, "single", TABLE)
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, data, TABLE, facts, by_chunks), run(graph, data, PLAIN))
    monkeypatch.setattr(quant_nibbles, "HIGHEST", -9)  # no code fits
    bytes_ = lower(graph, facts, "single", TABLE)
    assert len(halves.weights) < 0.6 * len(bytes_.weights)


@pytest.mark.skipif(not EMULATED, reason="no emulator or compiler for 64-bit Arm")
@pytest.mark.parametrize("where", ["arm", "cortex-a76"])
@pytest.mark.parametrize("name", ["3x3", "one row"])
def test_same_codes_on_arm(name: str, where: str) -> None:
    graph = GRAPHS[name]
    data = {v.name: codes("uint8", *v.type.dims) for v in graph.inputs if v.type is not None}
    with Emulator(edgeopt.compile(graph, level=0, target=where)) as emulator:
        there = next(iter(emulator.run(data).values()))
    np.testing.assert_array_equal(there, run(graph, data, PLAIN))


def test_pairs_of_vectors_share_bytes() -> None:
    panel = np.array([[[1] * 64, [-1] * 64, [-8] * 64]], np.int8)
    made = packed(target("x86-64-v4"), panel, 1)
    assert made.shape == (1, 128) and set(made[0, :64]) == {np.int8(-15)} and set(made[0, 64:]) == {np.int8(8)}


@pytest.mark.parametrize(("code", "vectors", "fits"), [(7, 2, True), (-8, 2, True), (8, 2, False), (-9, 2, False), (7, 3, False)])
def test_what_does_not_fit_keeps_its_bytes(code: int, vectors: int, fits: bool) -> None:
    assert in_nibbles(np.array([code], np.int8), vectors) == fits
