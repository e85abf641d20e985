"""SparseQuantConv: the codes of the dense kernel, whatever the shape, and on every kind of target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.ir import Array, Attribute, Graph
from edgeopt.kernels.integer import quant_conv, quant_product_plain
from edgeopt.kernels.sparse.sparse_quant_conv import KERNEL
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.quant_harness import Grid, codes, compare, conv_graphs, expected
from tests.kernels.sparse_harness import EVERYWHERE, make_sparse, thinned

Shape = tuple[int, ...]
DENSE = (quant_conv.KERNEL, *quant_product_plain.KERNELS)
INPUT, RESULT = Grid(0.02, 117), Grid(0.11, 131)
PADDED: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
CASES: dict[str, tuple[Shape, Shape, dict[str, Attribute]]] = {
    "1x1 flat": ((1, 32, 7, 7), (48, 32, 1, 1), {}),
    "3x3 strided, uneven pads": ((2, 18, 17, 15), (19, 18, 3, 3), {"pads": [0, 1, 1, 0], "strides": [2, 1]}),
    "3x3 dilated": ((1, 16, 12, 12), (16, 16, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "grouped": ((1, 64, 6, 6), (96, 32, 3, 3), {"pads": [1, 1, 1, 1], "group": 2}),
    "groups of no whole block": ((1, 20, 6, 6), (36, 5, 1, 1), {"group": 4}),
    "image": ((1, 3, 23, 21), (24, 3, 7, 7), {"pads": [3, 3, 3, 3], "strides": [2, 2]}),
    "one pixel": ((1, 64, 1, 1), (96, 64, 1, 1), {}),
}


def graphs(
    shape: Shape, weight: Shape, attributes: dict[str, Attribute], density: float = 0.3, x: Grid = INPUT, y: Grid = RESULT,
    residual: Grid | None = None,
) -> tuple[Graph, Graph]:  # fmt: skip
    """The dense integer operator, and its meaning."""
    scale, zero = RNG.uniform(0.001, 0.004, weight[0]).astype(np.float32), np.zeros(weight[0], np.int8)
    bias = RNG.integers(-20000, 20000, weight[0]).astype(np.int32)
    w = thinned(codes("int8", *weight), (16, 4), density)
    return conv_graphs(x, shape, w, scale, zero, bias, y, attributes, residual)


def check(fused: Graph, whole: Graph, where: str = "host") -> None:
    """The sparse operator means what the dense one means, and its kernel gives the very codes of the dense one."""
    data: dict[str, Array] = {v.name: codes(v.type.dtype, *v.type.dims) for v in fused.inputs if v.type is not None}
    truth, dense = expected(whole, data), run(fused, data, DENSE, where)
    make_sparse(fused, (16, 4))
    compare(expected(fused, data), truth)
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(fused, data, [KERNEL], where, by_chunks), dense)
    compare(dense, truth)


@EVERYWHERE
@pytest.mark.parametrize("case", CASES)
def test_gives_the_codes_of_the_dense_kernel(case: str, where: str) -> None:
    check(*graphs(*CASES[case]), where)


@settings(max_examples=4)
@given(st.data())
def test_any_shape(data: st.DataObject) -> None:
    size, stride, dilation = (data.draw(st.sampled_from(s)) for s in ([1, 2, 3], [1, 2], [1, 2]))
    pads = [data.draw(st.integers(0, 2)) for _ in range(4)]
    inputs, outputs = data.draw(st.integers(3, 40)), data.draw(st.integers(9, 40))
    density = data.draw(st.sampled_from([0, 0.1, 0.6]))
    extents = [data.draw(st.integers(dilation * (size - 1) + 1, 19)) for _ in range(2)]
    attributes: dict[str, Attribute] = {"pads": pads, "strides": [stride] * 2, "dilations": [dilation] * 2}
    check(*graphs((1, inputs, *extents), (outputs, inputs, size, size), attributes, density))


@pytest.mark.parametrize("kind", ["Relu", "Clip", "HardSwish"])
@pytest.mark.parametrize("result", [Grid(0.0625, 128), Grid(0.05, -3, "int8")], ids=["uint8", "int8"])
def test_residual_and_activation(kind: str, result: Grid) -> None:
    attributes: dict[str, Attribute] = {**PADDED, "activation": kind}
    attributes |= {"alpha": -0.5, "beta": 3.75} if kind == "Clip" else {}
    check(*graphs((1, 24, 7, 9), (20, 24, 3, 3), attributes, y=result, residual=Grid(0.05, 3, result.dtype)))


@pytest.mark.parametrize("x", [Grid(0.02, -17, "int8"), Grid(0.02, 255), Grid(1e-4, 9000, "uint16")], ids=lambda x: x.dtype)
def test_types_of_the_input(x: Grid) -> None:
    check(*graphs((1, 20, 9, 7), (32, 20, 3, 3), PADDED, x=x, y=Grid(0.2, 128)))
