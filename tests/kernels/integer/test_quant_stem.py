"""Convolution of one or two plain channels of codes into blocks."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.integer.quant_stem import KERNEL, suits
from tests.kernels.integer.test_quant_conv import check
from tests.kernels.quant_harness import Grid, codes, conv_graphs

Shape = tuple[int, ...]
CASES: dict[str, tuple[Shape, Shape, dict[str, Attribute]]] = {
    "10x4 of one channel": ((1, 1, 49, 10), (64, 1, 10, 4), {"pads": [4, 1, 5, 1], "strides": [2, 2]}),
    "3x3": ((1, 1, 8, 8), (16, 1, 3, 3), {"pads": [1, 1, 1, 1]}),
    "5x5 of two channels": ((2, 2, 11, 9), (20, 2, 5, 5), {"pads": [2, 2, 2, 2]}),
    "7x7 strided": ((1, 1, 23, 21), (24, 1, 7, 7), {"pads": [3, 3, 3, 3], "strides": [2, 3]}),
    "without pads": ((1, 1, 6, 7), (8, 1, 1, 4), {}),
    "one row, odd channels": ((1, 2, 1, 12), (33, 2, 1, 3), {"pads": [0, 1, 0, 1]}),
}


@pytest.mark.parametrize("where", ["host", "x86-64-v3"])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_meaning(case: str, where: str) -> None:
    check(*CASES[case], [KERNEL], where=where)


@pytest.mark.parametrize("dtype, zero", [("int8", -17), ("int8", 127), ("uint8", 0), ("uint8", 255)])
def test_the_border_holds_the_zero_point(dtype: str, zero: int) -> None:
    check(*CASES["7x7 strided"], [KERNEL], x=Grid(0.02, zero, dtype), y=Grid(0.2, 128))


@pytest.mark.parametrize("weight, attributes", [((8, 4, 3, 3), {}), ((8, 1, 3, 2), {}), ((8, 1, 3, 3), {"dilations": [2, 2]})])
def test_other_forms_are_left_to_others(weight: Shape, attributes: dict[str, Attribute]) -> None:
    scale, zero = np.full(weight[0], 0.01, np.float32), np.zeros(weight[0], np.int8)
    grid = Grid(0.02, 3)
    fused, _ = conv_graphs(grid, (1, weight[1], 9, 9), codes("int8", *weight), scale, zero, None, grid, attributes)
    assert not suits(fused.nodes[0])
