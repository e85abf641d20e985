"""SparseGemm and SparseQuantGemm: the numbers of the dense products, for any number of rows, inputs and outputs."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph
from edgeopt.ir.block_rows import Block
from edgeopt.kernels.integer import quant_gemm, quant_product_plain
from edgeopt.kernels.sparse import sparse_gemm, sparse_quant_gemm
from tests.drawing import RNG
from tests.kernels.harness import check as agrees
from tests.kernels.harness import run, single, uniform
from tests.kernels.integer.test_quant_plain import single as integer
from tests.kernels.quant_harness import Grid, codes, compare, expected
from tests.kernels.sparse_harness import EVERYWHERE, make_sparse, thinned

DENSE = (quant_gemm.KERNEL, *quant_product_plain.KERNELS)
SIZES = [((1,), 64, 1000), ((1,), 37, 17), ((2, 3), 16, 33), ((5,), 7, 16), ((40,), 70, 100)]
ROWS = pytest.mark.parametrize(("rows", "depth", "columns"), SIZES, ids=str)


def weight(made: Array, block: Block, density: float = 0.3) -> Array:
    """``made`` [inputs, outputs] with blocks of zeros."""
    return np.ascontiguousarray(thinned(made.T, block, density).T)


def quantised(
    rows: tuple[int, ...], depth: int, columns: int, dtype: str = "uint8", kind: str = "", added: bool = False,
    block: Block = (16, 4), density: float = 0.3,
) -> Graph:  # fmt: skip
    """A QuantGemm with blocks of zeros."""
    x, y, r = (Grid(s, z if dtype == "uint8" else z - 128, dtype) for s, z in ((0.02, 117), (0.15, 130), (0.1, 120)))
    scale = RNG.uniform(0.001, 0.004, columns).astype(np.float32)
    bias, w = RNG.integers(-20000, 20000, columns).astype(np.int32), weight(codes("int8", depth, columns), block, density)
    inputs: list[Array | int] = [0, *x.arrays, w, scale, np.zeros(columns, np.int8), bias, *y.arrays]
    attributes: dict[str, Attribute] = {"activation": kind} if kind else {}
    shapes = [(*rows, depth), (*rows, columns)] if added else [(*rows, depth)]
    return integer("QuantGemm", shapes, [*inputs, 1, *r.arrays] if added else inputs, attributes, dtype)


def same_codes(graph: Graph, where: str = "host") -> None:
    """The sparse kernel gives the very codes of the dense one."""
    data = {v.name: codes(v.type.dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    truth, dense = expected(graph, data), run(graph, data, DENSE, where)
    make_sparse(graph, (16, 4))
    compare(expected(graph, data), truth)
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, data, [sparse_quant_gemm.KERNEL], where, by_chunks), dense)


@EVERYWHERE
@ROWS
def test_codes(rows: tuple[int, ...], depth: int, columns: int, where: str) -> None:
    same_codes(quantised(rows, depth, columns), where)


@pytest.mark.parametrize("kind", ["Relu", "HardSwish"])
def test_codes_with_residual_and_activation(kind: str) -> None:
    same_codes(quantised((9,), 40, 50, "int8", kind, added=True))


@EVERYWHERE
@ROWS
def test_floats(rows: tuple[int, ...], depth: int, columns: int, where: str) -> None:
    data = {"x": uniform(*rows, depth)}
    graph = single("FusedGemm", data, [weight(uniform(depth, columns), (16, 1)), uniform(columns)], {}, OWN_DOMAIN)
    dense = next(iter(interpret(graph, data).values()))
    make_sparse(graph, (16, 1))
    np.testing.assert_allclose(next(iter(interpret(graph, data).values())), dense, rtol=0, atol=1e-6)
    agrees(graph, data, [sparse_gemm.KERNEL], where)


def test_floats_with_residual_and_activation() -> None:
    data = {"x": uniform(9, 40), "r": uniform(9, 50)}
    constants = [weight(uniform(40, 50), (16, 1)), None]
    graph = single("FusedGemm", data, constants, {"activation": "Relu"}, OWN_DOMAIN, extra=[data["r"]])
    make_sparse(graph, (16, 1))
    agrees(graph, data, [sparse_gemm.KERNEL])
