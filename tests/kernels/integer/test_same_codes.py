"""Codes are the same whatever the vectors, with and without a multiply-add: on machines like this one, which run here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute, Graph
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.integer import quant_add, quant_gemm, quant_mul, quant_product_plain, quant_scale, quant_softmax
from edgeopt.target import Target, host
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.integer.test_quant_plain import single
from tests.kernels.quant_harness import Grid, codes

ROWS, DEPTH, COLUMNS = 200, 12, 320  # sums of many results, of which some lie next to halfway between two codes
X, Y, Z = Grid(0.0574, -11, "int8"), Grid(0.0256, 60, "int8"), Grid(0.0312, 12, "int8")  # many of whose sums lie close to ties
FINE, FINER = Grid(0.02 / 256, -300, "int16"), Grid(0.015 / 256, 77, "int16")


def narrow(lanes: int) -> Target:
    """This machine as one with vectors of ``lanes`` floats and no multiply-add."""
    return replace(host(), cpu="x86-64", features="", vector_bytes=4 * lanes, fma=False, dot4="", lookup="")


def product(x: Grid, r: Grid, y: Grid, kind: str) -> Graph:
    scale, bias = RNG.uniform(0.001, 0.004, COLUMNS).astype(np.float32), RNG.integers(-999, 999, COLUMNS).astype(np.int32)
    weights = [codes("int8", DEPTH, COLUMNS), scale, np.zeros(COLUMNS, np.int8), bias]
    attributes: dict[str, Attribute] = {"activation": kind} if kind else {}
    inputs: list[Array | int] = [0, *x.arrays, *weights, *y.arrays, 1, *r.arrays]
    return single("QuantGemm", [(ROWS, DEPTH), (ROWS, COLUMNS)], inputs, attributes, x.dtype)


def pair(op: str, kind: str = "") -> Graph:
    shapes = [(ROWS, COLUMNS)] * 2
    return single(op, shapes, [0, *X.arrays, 1, *Y.arrays, *Z.arrays], {"activation": kind} if kind else {}, "int8")


def scaled() -> Graph:
    factor, shift = (RNG.uniform(-2, 2, (ROWS, 1, 1)).astype(np.float32) for _ in range(2))
    return single("QuantScaleShift", [(1, ROWS, 8, 8)], [0, *X.arrays, factor, shift, *Y.arrays], {}, "int8")


def softmax() -> Graph:
    grids = (*Grid(0.02, -11, "int8").arrays, *Grid(1 / 17000, -128, "int8").arrays)
    return single("QuantSoftmax", [(20 * ROWS, COLUMNS)], [0, *grids], {"axis": -1}, "int8")


PLAIN: Sequence[Kernel] = quant_product_plain.KERNELS
CASES: dict[str, tuple[Callable[[], Graph], Sequence[Kernel]]] = {
    "residual of 16 bits": (lambda: product(FINE, FINER, FINE, ""), PLAIN),
    "activation": (lambda: product(X, Y, Z, "Silu"), PLAIN),
    "sum": (lambda: pair("QuantAdd"), quant_add.KERNELS[1:]),
    "sum and activation": (lambda: pair("QuantAdd", "HardSwish"), quant_add.KERNELS[1:]),
    "product": (lambda: pair("QuantMul", "Tanh"), quant_mul.KERNELS[1:]),
    "factor and offset": (scaled, quant_scale.KERNELS[1:]),
    "softmax": (softmax, [quant_softmax.KERNEL]),
}


@pytest.mark.parametrize("case", CASES)
def test_same_codes(case: str) -> None:
    make, table = CASES[case]
    graph = make()
    data = {v.name: codes(v.type.dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    here = run(graph, data, [quant_gemm.KERNEL, *table])
    assert np.unique(here).size > 30
    for where in ("host", "x86-64-v3", narrow(4), narrow(1)):
        np.testing.assert_array_equal(run(graph, data, table, where), here)
