from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute, Graph
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.integer.quant_gemm import KERNEL
from edgeopt.kernels.integer.quant_gemm_narrow import KERNEL as NARROW
from edgeopt.kernels.integer.quant_product_plain import KERNELS as PLAIN
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.integer.test_quant_plain import agrees, single
from tests.kernels.quant_harness import Grid, codes, expected

SIZES = [((1,), 64, 1000), ((1,), 37, 17), ((2, 3), 16, 33), ((5,), 7, 16), ((40,), 70, 100)]
TABLES = pytest.mark.parametrize("table", [[KERNEL], PLAIN], ids=["tiles", "plain"])


def product(rows: tuple[int, ...], depth: int, columns: int, dtype: str, kind: str = "", residual: bool = False) -> Graph:
    x, y, r = (Grid(s, z if dtype == "uint8" else z - 128, dtype) for s, z in ((0.02, 117), (0.15, 130), (0.1, 120)))
    scale = RNG.uniform(0.001, 0.004, columns).astype(np.float32)
    bias = RNG.integers(-20000, 20000, columns).astype(np.int32)
    inputs: list[Array | int] = [0, *x.arrays, codes("int8", depth, columns), scale, np.zeros(columns, np.int8), bias, *y.arrays]
    attributes: dict[str, Attribute] = {"activation": kind} if kind else {}
    shapes = [(*rows, depth), (*rows, columns)] if residual else [(*rows, depth)]
    return single("QuantGemm", shapes, [*inputs, 1, *r.arrays] if residual else inputs, attributes, dtype)


@TABLES
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(
    "rows, depth, columns", [((1,), 64, 1000), ((1,), 37, 17), ((2, 3), 16, 33), ((5,), 7, 16), ((40,), 70, 100)]
)
def test_agrees_with_meaning(rows: tuple[int, ...], depth: int, columns: int, dtype: str, table: Sequence[Kernel]) -> None:
    agrees(product(rows, depth, columns, dtype), table)


@TABLES
@pytest.mark.parametrize("kind", ["", "Relu", "HardSwish"])
def test_residual_and_activation(kind: str, table: Sequence[Kernel]) -> None:
    agrees(product((9,), 40, 50, "uint8", kind, residual=True), table)


@TABLES
def test_float_result(table: Sequence[Kernel]) -> None:
    x = Grid(0.02, 117)
    weights: list[Array] = [codes("int8", 40, 50), np.full(50, 0.003, np.float32), np.zeros(50, np.int8)]
    graph = single("QuantGemm", [(3, 40)], [0, *x.arrays, *weights], {"activation": "Relu"}, "uint8")
    data = {"x0": codes("uint8", 3, 40)}
    np.testing.assert_allclose(run(graph, data, table), expected(graph, data), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("where", ["host", "x86-64-v3"])
@pytest.mark.parametrize("rows, depth, columns", [((1,), 64, 7), ((400,), 64, 5), ((2, 9), 37, 1)])
def test_few_columns_are_the_first_of_a_register(rows: tuple[int, ...], depth: int, columns: int, where: str) -> None:
    graph = product(rows, depth, columns, "uint8", "Relu")
    data = {"x0": codes("uint8", *rows, depth)}
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, data, [NARROW], where, by_chunks), run(graph, data, PLAIN))
