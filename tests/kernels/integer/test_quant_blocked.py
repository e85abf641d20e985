"""Integer operators in the blocked layout: the map comes from an integer convolution that does nothing but copy."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.kernels.call import Kernel, KernelCall, Site
from edgeopt.kernels.integer import (
    max_pool_bytes,
    quant_add,
    quant_conv,
    quant_global_pool,
    quant_lookup,
    quant_mul,
    quant_plain,
    quant_pool,
    quant_scale,
    quantize_stem,
)
from edgeopt.lower.lowering import lower
from edgeopt.ops import infer_types
from edgeopt.target import target
from tests.kernels.harness import run, uniform
from tests.kernels.integer.test_quant_plain import single
from tests.kernels.quant_harness import Grid, codes, compare, expected

V3 = pytest.param(
    "x86-64-v3",
    marks=pytest.mark.skipif(
        not target("x86-64-v3").runs_here or target("host").lookup not in ("pshufb", "vpermb"), reason="this is no AVX2 processor"
    ),
)
EVERYWHERE = pytest.mark.parametrize("where", ["host", V3])
Inputs = list[Array | int]
X, Y, Z = Grid(0.02, 117), Grid(0.0313, 60), Grid(0.0507, 128)  # ratios that make no exact ties
TABLE = [
    *(m.KERNEL for m in (quant_conv, quant_global_pool, quant_pool, max_pool_bytes)),
    *(k for m in (quant_add, quant_mul, quant_scale) for k in m.KERNELS),
    *quant_lookup.KERNELS,
    *quant_plain.KERNELS,
]


def behind_copies(
    op: str,
    shape: tuple[int, ...],
    count: int,
    inputs: Inputs,
    attributes: dict[str, Attribute],
    domain: str = OWN_DOMAIN,
    dtype: str = "uint8",
) -> Graph:
    """``op`` on ``count`` maps that lie blocked, and an integer convolution with a border behind it, so that halos differ."""
    graph = Graph("blocked", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value(f"x{i}", TensorType(dtype, shape)) for i in range(count)]
    maps = [_conv(graph, v, shape[1], 1, {}, dtype) for v in graph.inputs]
    values = [maps[i] if isinstance(i, int) else graph.constant("c", i) for i in inputs]
    node = graph.make(op, values, [None], domain=domain, name="node", attributes=attributes)
    infer_types(graph)
    channels = node.output.type.dims[1] if node.output.type is not None else 0
    graph.outputs = [node.output, _conv(graph, node.output, channels, 3, {"pads": [1, 1, 1, 1]}, dtype)]
    infer_types(graph)
    return graph


def _conv(graph: Graph, x: Value, channels: int, size: int, attributes: dict[str, Attribute], dtype: str) -> Value:
    weight = np.zeros((channels, channels, size, size), np.int8)
    weight[np.arange(channels), np.arange(channels), size // 2, size // 2] = 64
    scale, zero = Grid(1.0, 7, dtype).arrays
    weights: list[Array] = [weight, np.full(channels, 1 / 64, np.float32), np.zeros(channels, np.int8)]
    arrays: list[Array] = [scale, zero, *weights]
    result = [graph.constant("c", a) for a in arrays[:2]]
    inputs = [x, *(graph.constant("c", a) for a in arrays), None, *result]
    return graph.make("QuantConv", inputs, [None], domain=OWN_DOMAIN, name=f"copy_{x.name}", attributes=attributes).output


def kernels_of(graph: Graph, where: str) -> list[str]:
    """The names of the table's entries that serve the nodes."""
    served = []

    def recording(kernel: Kernel, site: Site) -> tuple[KernelCall, ...]:
        calls = kernel.select(site)
        served.append(kernel.name)
        return calls

    lower(graph, target(where), "single", TABLE, recording)
    return served


def agrees(graph: Graph, kernel: str, where: str) -> None:
    assert kernel in kernels_of(graph, where)
    data = {v.name: codes(v.type.dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    truth = expected(graph, data)
    for by_chunks in (False, True):
        compare(run(graph, data, TABLE, where, by_chunks), truth)


@EVERYWHERE
@pytest.mark.parametrize("shape", [(1, 16, 3, 3), (2, 20, 7, 5), (1, 33, 8, 8), (1, 16, 1, 2)])
@pytest.mark.parametrize("kind", ["", "Relu", "HardSwish"])
def test_add(shape: tuple[int, ...], kind: str, where: str) -> None:
    inputs: Inputs = [0, *X.arrays, 1, *Y.arrays, *Z.arrays]
    agrees(behind_copies("QuantAdd", shape, 2, inputs, {"activation": kind} if kind else {}), "quant_add", where)


@EVERYWHERE
def test_add_of_signed_codes(where: str) -> None:
    grids = [Grid(0.02, -3, "int8"), Grid(0.04, 60, "int8"), Grid(0.05, 5, "int8")]
    inputs: Inputs = [0, *grids[0].arrays, 1, *grids[1].arrays, *grids[2].arrays]
    agrees(behind_copies("QuantAdd", (1, 24, 6, 7), 2, inputs, {}, dtype="int8"), "quant_add", where)


@EVERYWHERE
@pytest.mark.parametrize("shape", [(1, 16, 7, 7), (2, 20, 3, 2), (1, 33, 1, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_global_average_pool(shape: tuple[int, ...], dtype: str, where: str) -> None:
    x, y = Grid(0.02, 17, dtype), Grid(0.0031, 20, dtype)
    agrees(
        behind_copies("QuantGlobalAveragePool", shape, 1, [0, *x.arrays, *y.arrays], {}, dtype=dtype), "quant_global_pool", where
    )


@EVERYWHERE
@pytest.mark.parametrize("shape", [(1, 16, 11, 12), (2, 20, 7, 5), (1, 16, 3, 2)])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(
    "window", [{"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, {"kernel_shape": [2, 2], "strides": [2, 1]}]
)
def test_max_pool(shape: tuple[int, ...], dtype: str, window: dict[str, Attribute], where: str) -> None:
    agrees(behind_copies("MaxPool", shape, 1, [0], window, "", dtype), "max_pool_bytes", where)


def test_max_pool_in_blocks_of_four() -> None:
    graph = Graph("image", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value("x", TensorType("float32", (1, 3, 9, 11)))]
    grid = [graph.constant("c", a) for a in X.arrays]
    made = graph.make("QuantizeLinear", [graph.inputs[0], *grid], [None], name="q").output
    attributes: dict[str, Attribute] = {"kernel_shape": [3, 3], "strides": [2, 2]}
    graph.outputs = [graph.make("MaxPool", [made], [None], name="pool", attributes=attributes).output]
    infer_types(graph)
    data = {"x": uniform(1, 3, 9, 11)}
    compare(run(graph, data, [quantize_stem.KERNEL, max_pool_bytes.KERNEL]), expected(graph, data))


@EVERYWHERE
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("shape", [(1, 16, 11, 12), (2, 20, 7, 5), (1, 16, 1, 2)])
def test_lookup(shape: tuple[int, ...], dtype: str, where: str) -> None:
    table = np.random.default_rng(3).permutation(256).astype(np.uint8).view(dtype)
    agrees(behind_copies("QuantLookup", shape, 1, [0, table], {}, dtype=dtype), "quant_lookup", where)


@EVERYWHERE
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("shape", [(1, 16, 11, 12), (2, 32, 7, 5)])
def test_concat(shape: tuple[int, ...], dtype: str, where: str) -> None:
    x, y, z = (Grid(g.scale, g.zero - 100, dtype) if dtype == "int8" else g for g in (X, Y, Z))
    inputs: Inputs = [*z.arrays, 0, *x.arrays, 1, *y.arrays]
    agrees(behind_copies("QuantConcat", shape, 2, inputs, {"axis": 1}, dtype=dtype), "quant_concat", where)


@EVERYWHERE
@pytest.mark.parametrize("shape", [(1, 16, 5, 7), (2, 32, 1, 2)])
def test_concat_of_parts_on_the_grid_of_the_result_copies(shape: tuple[int, ...], where: str) -> None:
    inputs: Inputs = [*X.arrays, 0, *X.arrays, 1, *X.arrays]
    graph = behind_copies("QuantConcat", shape, 2, inputs, {"axis": 1})
    agrees(graph, "quant_concat", where)
    labels = [step.call.label for step in lower(graph, target(where), "single", TABLE).native]
    assert labels.count("quant_copy") == 2 * shape[0]


@EVERYWHERE
@pytest.mark.parametrize("kind, dtype", [("Relu", "int8"), ("HardSigmoid", "uint8")])
def test_mul(kind: str, dtype: str, where: str) -> None:
    x, y, z = (Grid(g.scale, g.zero - 100, dtype) if dtype == "int8" else g for g in (X, Y, Z))
    inputs: Inputs = [0, *x.arrays, 1, *y.arrays, *z.arrays]
    agrees(behind_copies("QuantMul", (2, 20, 7, 5), 2, inputs, {"activation": kind}, dtype=dtype), "quant_mul", where)


@EVERYWHERE
@pytest.mark.parametrize("shape, first", [((1, 16, 3, 3), False), ((2, 20, 7, 5), True), ((1, 33, 1, 2), False)])
def test_mul_with_a_code_for_each_channel(shape: tuple[int, ...], first: bool, where: str) -> None:
    graph = behind_copies("QuantGlobalAveragePool", shape, 1, [0, *X.arrays, *Y.arrays], {})
    pooled, grids = graph.nodes[-2], [[graph.constant("c", a) for a in g.arrays] for g in (X, Y, Z)]
    whole, each = [graph.nodes[0].output, *grids[0]], [pooled.output, *grids[1]]
    operands = [*each, *whole] if first else [*whole, *each]
    product = graph.make("QuantMul", [*operands, *grids[2]], [None], domain=OWN_DOMAIN, name="product").output
    graph.outputs = [_conv(graph, product, shape[1], 3, {"pads": [1, 1, 1, 1]}, "uint8")]
    infer_types(graph)
    agrees(graph, "quant_mul", where)


@EVERYWHERE
@pytest.mark.parametrize("shape, dtype", [((1, 16, 11, 12), "uint8"), ((2, 20, 7, 5), "int8")])
@pytest.mark.parametrize(
    "window",
    [
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1], "count_include_pad": 1},
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    ],
)
def test_average_pool(shape: tuple[int, ...], dtype: str, window: dict[str, Attribute], where: str) -> None:
    x, y = (Grid(g.scale, g.zero - 100, dtype) if dtype == "int8" else g for g in (X, Y))
    agrees(behind_copies("QuantAveragePool", shape, 1, [0, *x.arrays, *y.arrays], window, dtype=dtype), "quant_pool", where)


@EVERYWHERE
@pytest.mark.parametrize("kind", ["", "Relu", "HardSwish"])
@pytest.mark.parametrize("shape", [(2, 20, 7, 5), (1, 16, 3, 3)])
def test_a_factor_and_an_offset_for_each_channel(shape: tuple[int, ...], kind: str, where: str) -> None:
    factor, offset = uniform(shape[1], 1, 1), uniform(shape[1], 1, 1)
    inputs: Inputs = [0, *X.arrays, factor, offset, *Z.arrays]
    agrees(behind_copies("QuantScaleShift", shape, 1, inputs, {"activation": kind}), "quant_scale", where)


def test_a_factor_and_an_offset_in_any_layout() -> None:
    inputs: Inputs = [0, *X.arrays, uniform(5, 1), uniform(5, 1), *Z.arrays]
    graph = single("QuantScaleShift", [(2, 5, 7)], inputs, {"activation": "Relu"}, "uint8")
    data = {"x0": codes("uint8", 2, 5, 7)}
    compare(run(graph, data, [quant_scale.KERNELS[1]]), expected(graph, data))
