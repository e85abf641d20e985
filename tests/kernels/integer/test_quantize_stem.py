from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN, Graph, TensorType, Value
from edgeopt.kernels.integer import quant_conv, quant_stem, quantize, quantize_stem
from edgeopt.ops import infer_types
from edgeopt.target import target
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.quant_harness import Grid, codes, compare, expected

AVX2 = target("x86-64-v3").runs_here and target("host").lookup in ("pshufb", "vpermb")


@pytest.mark.parametrize(
    "where", ["host", pytest.param("x86-64-v3", marks=pytest.mark.skipif(not AVX2, reason="this is no AVX2 processor"))]
)
@pytest.mark.parametrize("shape", [(1, 3, 20, 37), (2, 1, 5, 7), (1, 4, 9, 16)])
@pytest.mark.parametrize("grid", [Grid(0.02, 117), Grid(0.0078125, -3, "int8")])
def test_image_to_codes(shape: tuple[int, ...], grid: Grid, where: str) -> None:
    graph = Graph("image", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value("x", TensorType("float32", shape))]
    made = graph.make(
        "QuantizeLinear", [graph.inputs[0], *(graph.constant("c", a) for a in grid.arrays)], [None], name="q"
    ).output
    constants = [*grid.arrays, codes("int8", 16, shape[1], 3, 2), np.full(16, 0.01, np.float32), np.zeros(16, np.int8)]
    values = [made, *(graph.constant("c", a) for a in constants), None, *(graph.constant("c", a) for a in Grid(0.3, 100).arrays)]
    node = graph.make("QuantConv", values, [None], domain=OWN_DOMAIN, name="conv", attributes={"pads": [1, 1, 1, 0]})
    graph.outputs = [node.output]
    infer_types(graph)
    data = {"x": (3 * RNG.standard_normal(shape)).astype(np.float32)}
    for by_chunks in (False, True):
        compare(run(graph, data, [quantize_stem.KERNEL, quant_conv.KERNEL], where, by_chunks), expected(graph, data))


def test_a_convolution_along_rows_reads_a_plain_map() -> None:
    graph = Graph("image", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value("x", TensorType("float32", (1, 1, 8, 8)))]
    grid = [graph.constant("c", a) for a in Grid(0.02, 117).arrays]
    made = graph.make("QuantizeLinear", [graph.inputs[0], *grid], [None], name="q").output
    constants = [*Grid(0.02, 117).arrays, codes("int8", 16, 1, 3, 3), np.full(16, 0.01, np.float32), np.zeros(16, np.int8)]
    values = [made, *(graph.constant("c", a) for a in constants), None, *(graph.constant("c", a) for a in Grid(0.3, 100).arrays)]
    graph.outputs = [graph.make("QuantConv", values, [None], domain=OWN_DOMAIN, name="conv").output]
    infer_types(graph)
    data = {"x": (3 * RNG.standard_normal((1, 1, 8, 8))).astype(np.float32)}
    table = [quantize_stem.KERNEL, *quantize.KERNELS, quant_stem.KERNEL]
    compare(run(graph, data, table), expected(graph, data))
