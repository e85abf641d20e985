"""Integer operators, and QuantizeLinear and DequantizeLinear, on plain tensors of any rank in vectors."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.integer import quant_add, quant_lookup, quant_mul, quant_softmax, quantize_vector
from tests.drawing import RNG
from tests.kernels.harness import run
from tests.kernels.harness import single as float_single
from tests.kernels.integer.test_quant_plain import single
from tests.kernels.quant_harness import Grid, codes, compare, expected

X, Y, Z = Grid(0.02, 117), Grid(0.0313, 60), Grid(0.0507, 128)  # ratios that make no exact ties
WHERE = pytest.mark.parametrize("where", ["host", "x86-64-v3"])
Shapes = list[tuple[int, ...]]


def agrees(op: str, shapes: Shapes, inputs: list[Array | int], kernel: Kernel, where: str, **attributes: Attribute) -> None:
    graph = single(op, shapes, inputs, attributes, "uint8")
    data = {v.name: codes("uint8", *v.type.dims) for v in graph.inputs if v.type is not None}
    truth = expected(graph, data)
    for by_chunks in (False, True):
        compare(run(graph, data, [kernel], where, by_chunks), truth)


@WHERE
@pytest.mark.parametrize("module", [quant_add, quant_mul])
@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 5, 37), (2, 5, 37)],
        [(3, 50, 121), (3, 50, 121)],
        [(2, 7, 96), (96,)],
        [(3, 4, 70), (1, 4, 70)],
        [(4, 64), (1, 4, 64)],
    ],
)
def test_sums_and_products(module: object, shapes: Shapes, where: str) -> None:
    kernel = module.KERNELS[1]  # type: ignore[attr-defined]
    agrees(kernel.ops[0], shapes, [0, *X.arrays, 1, *Y.arrays, *Z.arrays], kernel, where)


@WHERE
@pytest.mark.parametrize("shape", [(64,), (5, 13), (3, 77, 191)])
def test_lookup(shape: tuple[int, ...], where: str) -> None:
    agrees("QuantLookup", [shape], [0, RNG.permutation(256).astype(np.uint8)], quant_lookup.KERNELS[1], where)


@WHERE
@pytest.mark.parametrize("shape", [(3, 11), (2, 16), (5, 64), (2, 3, 197), (9, 1), (2, 4, 300)])
@pytest.mark.parametrize("signed", [False, True])
def test_softmax(shape: tuple[int, ...], signed: bool, where: str) -> None:
    x, y = (Grid(0.05, -3, "int8"), Grid(1 / 250, -128, "int8")) if signed else (Grid(0.05, 117), Grid(1 / 256, 0))
    graph = single("QuantSoftmax", [shape], [0, *x.arrays, *y.arrays], {"axis": -1}, x.dtype)
    data = {"x0": codes(x.dtype, *shape)}
    for by_chunks in (False, True):
        compare(run(graph, data, [quant_softmax.KERNEL], where, by_chunks), expected(graph, data))


@WHERE
@pytest.mark.parametrize("shape", [(64,), (3, 77, 191)])
@pytest.mark.parametrize("grid", [Grid(0.02, 117), Grid(0.05, -3, "int8"), Grid(0.03, 0)])
def test_rounding_is_that_of_a_division(shape: tuple[int, ...], grid: Grid, where: str) -> None:
    """Numbers halfway between codes, beyond the last one and infinite ones are among them."""
    x = (RNG.integers(-600, 600, shape) / np.float32(2) * np.float32(grid.scale)).astype(np.float32)
    x.reshape(-1)[:4] = 1e5, -1e5, np.inf, -np.inf
    graph = float_single("QuantizeLinear", {"x": x}, list(grid.arrays), {})
    made = run(graph, {"x": x}, [quantize_vector.KERNELS[2]], where).reshape(-1)
    np.testing.assert_array_equal(made[2:4], made[:2])
    x.reshape(-1)[2:4] = x.reshape(-1)[:2]  # the reference does not saturate infinite numbers
    np.testing.assert_array_equal(made, expected(graph, {"x": x}).reshape(-1))


@WHERE
@pytest.mark.parametrize("grid", [Grid(0.02, 117), Grid(0.05, -3, "int8")])
def test_codes_become_numbers(grid: Grid, where: str) -> None:
    data = {"x": codes(grid.dtype, 3, 77, 191)}
    graph = float_single("DequantizeLinear", data, list(grid.arrays), {})
    np.testing.assert_array_equal(run(graph, data, [quantize_vector.KERNELS[3]], where), expected(graph, data))
