from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.kernels.integer.quant_plain import KERNELS
from edgeopt.ops import infer_types
from tests.kernels.harness import run
from tests.kernels.quant_harness import Grid, codes, compare, expected

X, Y, Z = Grid(0.02, 117), Grid(0.0313, 60), Grid(0.0507, 128)  # ratios that make no exact ties in a mean


def single(
    op: str, shapes: Sequence[tuple[int, ...]], inputs: Sequence[Array | int], attributes: dict[str, Attribute], dtype: str
) -> Graph:
    """A graph of one integer operator: integers in ``inputs`` stand for graph inputs of ``shapes``."""
    graph = Graph("single", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value(f"x{i}", TensorType(dtype, s)) for i, s in enumerate(shapes)]
    values = [graph.inputs[i] if isinstance(i, int) else graph.constant("c", i) for i in inputs]
    node = graph.make(op, values, [None], domain=OWN_DOMAIN, name="node", attributes=attributes)
    graph.outputs = [node.output]
    infer_types(graph)
    return graph


def agrees(graph: Graph, table: Sequence[object] = KERNELS) -> None:
    data = {v.name: codes(v.type.dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    truth = expected(graph, data)
    for by_chunks in (False, True):
        compare(run(graph, data, table, by_chunks=by_chunks), truth)  # type: ignore[arg-type]


@pytest.mark.parametrize("op, kind", [("QuantAdd", ""), ("QuantAdd", "Relu"), ("QuantMul", ""), ("QuantMul", "HardSigmoid")])
def test_binary(op: str, kind: str) -> None:
    inputs: list[Array | int] = [0, *X.arrays, 1, *Y.arrays, *Z.arrays]
    agrees(single(op, [(2, 5, 3, 7), (5, 1, 7)], inputs, {"activation": kind} if kind else {}, "uint8"))


@pytest.mark.parametrize("padded", [0, 1])
def test_average_pool(padded: int) -> None:
    attributes: dict[str, Attribute] = {
        "kernel_shape": [3, 2],
        "pads": [1, 0, 1, 1],
        "strides": [2, 1],
        "count_include_pad": padded,
    }
    agrees(single("QuantAveragePool", [(1, 5, 9, 7)], [0, *X.arrays, *Y.arrays], attributes, "uint8"))


def test_global_average_pool() -> None:
    agrees(single("QuantGlobalAveragePool", [(2, 5, 9, 7)], [0, *X.arrays, *Grid(0.003, 120).arrays], {}, "uint8"))


def test_softmax() -> None:
    agrees(single("QuantSoftmax", [(3, 11)], [0, *X.arrays, *Grid(1 / 256, 0).arrays], {"axis": -1}, "uint8"))


@pytest.mark.parametrize("attributes", [{"axis": 1}, {}])
def test_concat(attributes: dict[str, Attribute]) -> None:
    inputs: list[Array | int] = [*Z.arrays, 0, *X.arrays, 1, *Y.arrays]
    agrees(single("QuantConcat", [(1, 5, 3), (1, 2, 3)], inputs, attributes, "uint8"))


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_lookup(dtype: str) -> None:
    table = np.random.default_rng(3).permutation(256).astype(np.uint8)
    agrees(single("QuantLookup", [(2, 700)], [0, table], {}, dtype))
