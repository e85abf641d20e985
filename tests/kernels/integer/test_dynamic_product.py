"""DynamicConv and DynamicGemm: grids given at run time, sums exact in integers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.integer import dynamic_plain, dynamic_product
from edgeopt.ops import infer_types
from edgeopt.runtime.emulate import Emulator
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.quant_harness import codes

FAST, PLAIN = list(dynamic_product.KERNELS), [dynamic_plain.KERNEL]
TABLES = pytest.mark.parametrize("table", [FAST, PLAIN], ids=["tiles", "plain"])
PLACES = pytest.mark.parametrize(
    "table, where", [(FAST, "host"), (FAST, "x86-64-v3"), (PLAIN, "host")], ids=["tiles", "tiles-avx2", "plain"]
)
Shape = tuple[int, ...]


def product(
    op: str, shape: Shape, weight: Array, scale: Array, zero: Array | None, bias: Array | None, dtype: str = "uint8",
    attributes: dict[str, Attribute] | None = None,
) -> Graph:  # fmt: skip
    """A graph of one node; codes, scale and zero point of x are its inputs."""
    graph = Graph("dynamic", opsets={"": 21, "ai.edgeopt": 1})
    types = (TensorType(dtype, shape), TensorType("float32", ()), TensorType(dtype, ()))
    graph.inputs = [Value(n, t) for n, t in zip(("x", "scale", "zero"), types, strict=True)]
    constants = [None if a is None else graph.constant("c", a) for a in (weight, scale, zero, bias)]
    node = graph.make(op, [*graph.inputs, *constants], [None], domain=OWN_DOMAIN, name="node", attributes=attributes)
    graph.outputs = [node.output]
    infer_types(graph)
    return graph


def data(graph: Graph, scale: float = 0.02, zero: int = 117) -> dict[str, Array]:
    type_ = graph.inputs[0].type
    assert type_ is not None
    grid = {"scale": np.array(scale, np.float32), "zero": np.array(zero, type_.dtype)}
    return {"x": codes(type_.dtype, *type_.dims), **grid}


def agrees(graph: Graph, table: Sequence[Kernel], feeds: dict[str, Array], where: str = "host") -> None:
    truth = next(iter(interpret(graph, feeds).values()))
    for by_chunks in (False, True):
        result = run(graph, feeds, table, where, by_chunks)
        np.testing.assert_allclose(result, truth, rtol=1e-6, atol=2e-7 * float(np.abs(truth).max()))


def channels(count: int, one: bool = False) -> Array:
    return RNG.uniform(0.001, 0.004, () if one else count).astype(np.float32)


def offsets(count: int) -> Array:
    return RNG.uniform(-3, 3, count).astype(np.float32)


@PLACES
@pytest.mark.parametrize("rows, depth, columns", [((1,), 64, 100), ((1,), 37, 17), ((2, 3), 16, 33), ((40,), 70, 100)])
def test_gemm(rows: Shape, depth: int, columns: int, where: str, table: Sequence[Kernel]) -> None:
    graph = product("DynamicGemm", (*rows, depth), codes("int8", depth, columns), channels(columns), None, offsets(columns))
    agrees(graph, table, data(graph), where)


CASES: dict[str, tuple[Shape, Shape, dict[str, Attribute]]] = {
    "1x1": ((1, 32, 7, 7), (48, 32, 1, 1), {}),
    "3x3 padded": ((2, 16, 9, 8), (20, 16, 3, 3), {"pads": [1, 1, 1, 1]}),
    "uneven pads": ((1, 16, 11, 9), (16, 16, 3, 3), {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
    "grouped": ((1, 64, 6, 6), (96, 32, 3, 3), {"pads": [1, 1, 1, 1], "group": 2}),
    "depthwise": ((1, 24, 9, 7), (24, 1, 3, 3), {"pads": [1, 1, 1, 1], "group": 24}),
    "image": ((1, 3, 15, 13), (24, 3, 5, 5), {"pads": [2, 2, 2, 2], "strides": [2, 2]}),
    "odd channels": ((1, 7, 5, 6), (9, 7, 3, 3), {"pads": [1, 1, 1, 1], "dilations": [1, 1]}),
}


@PLACES
@pytest.mark.parametrize("case", CASES)
def test_conv(case: str, where: str, table: Sequence[Kernel]) -> None:
    shape, weight, attributes = CASES[case]
    graph = product(
        "DynamicConv", shape, codes("int8", *weight), channels(weight[0]), None, offsets(weight[0]), "uint8", attributes
    )
    agrees(graph, [*table, *PLAIN], data(graph), where)


@TABLES
@pytest.mark.parametrize("kind", ["Relu", "Clip", "HardSwish"])
@pytest.mark.parametrize("biased", [False, True])
def test_activation(kind: str, biased: bool, table: Sequence[Kernel]) -> None:
    attributes: dict[str, Attribute] = {"activation": kind, "alpha": -0.5, "beta": 1.5}
    bias = offsets(20) if biased else None
    graph = product("DynamicConv", (1, 16, 6, 5), codes("int8", 20, 16, 1, 1), channels(20), None, bias, "uint8", attributes)
    agrees(graph, table, data(graph))
    bias = offsets(40) if biased else None
    graph = product("DynamicGemm", (3, 20), codes("int8", 20, 40), channels(40, one=True), None, bias, "uint8", attributes)
    agrees(graph, table, data(graph))


@TABLES
def test_unsigned_weights(table: Sequence[Kernel]) -> None:
    graph = product("DynamicGemm", (3, 20), codes("uint8", 20, 40), channels(40), np.array(128, np.uint8), None)
    agrees(graph, table, data(graph))


def test_weights_beyond_8_bits_are_left_to_the_plain_kernel() -> None:
    graph = product("DynamicGemm", (3, 20), codes("uint8", 20, 40), channels(40), np.array(3, np.uint8), None)
    agrees(graph, [*FAST, *PLAIN], data(graph))


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(1, 70), st.integers(1, 40), st.sampled_from(["uint8", "int8"]), st.integers(0, 255))
def test_sums_are_exact(rows: int, depth: int, columns: int, dtype: str, zero: int) -> None:
    zero -= 128 if dtype == "int8" else 0
    weight, one = codes("int8", depth, columns), np.ones((), np.float32)
    graph = product("DynamicGemm", (rows, depth), weight, one, None, None, dtype)
    feeds = data(graph, 1.0, zero)
    expected = (feeds["x"].astype(np.int64) - zero) @ weight.astype(np.int64)
    assert np.abs(expected).max() < 2**24  # float32 holds every sum
    np.testing.assert_array_equal(run(graph, feeds, [*FAST, *PLAIN]), expected.astype(np.float32))


EMULATED = {"arm": "aarch64", "cortex-a76": "aarch64", "armv7": "arm"}
COMPILERS = {"aarch64": "aarch64-linux-gnu-gcc", "arm": "arm-linux-gnueabihf-gcc"}


@pytest.mark.parametrize("target", EMULATED)
@pytest.mark.parametrize("case", ["3x3 padded", "depthwise", "gemm"])
def test_same_sums_on_arm(case: str, target: str) -> None:
    """With scales of 1 the result is the sum, the same integer on every target; codes are made on the way."""
    family = EMULATED[target]
    if not (shutil.which(f"qemu-{family}") and shutil.which(COMPILERS[family])):
        pytest.skip(f"no emulator or compiler for {target}")
    shape, weight, attributes = CASES[case] if case != "gemm" else ((3, 40), (40, 50), {})
    stored, one = codes("int8", *weight), np.ones((), np.float32)
    results = []
    for where in ("host", target):
        graph = Graph("dynamic", opsets={"": 21, "ai.edgeopt": 1})
        graph.inputs = [Value("x", TensorType("float32", shape)), Value("scale", TensorType("float32", ()))]
        made = graph.make("DynamicQuantizeLinear", [graph.inputs[0]], [None] * 3, name="codes").outputs
        inputs = [made[0], graph.inputs[1], made[2], graph.constant("w", stored), graph.constant("s", one)]
        op = "DynamicGemm" if case == "gemm" else "DynamicConv"
        product = graph.make(op, inputs, [None], domain=OWN_DOMAIN, name="node", attributes=attributes)
        graph.outputs = [product.output, *made]
        infer_types(graph)
        x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
        model, feeds = edgeopt.compile(graph, level=0, target=where), {"x": x, "scale": one}
        if where == "host":
            results.append(model.run(feeds))
        else:
            with Emulator(model) as emulator:
                results.append(emulator.run(feeds))
    for here, there in zip(*(r.values() for r in results), strict=True):
        np.testing.assert_array_equal(here, there)
