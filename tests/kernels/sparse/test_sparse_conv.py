"""SparseConv in the blocked layout: the numbers of the dense operator, whatever the shape, and on every kind of target."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.ir import Attribute
from edgeopt.kernels.sparse.sparse_conv import KERNEL
from edgeopt.lower.select import block_size
from edgeopt.target import host
from tests.kernels.sparse_harness import EVERYWHERE, check_convolution

Shape = tuple[int, ...]
CASES: dict[str, tuple[Shape, Shape, dict[str, Attribute]]] = {
    "1x1 flat": ((1, 32, 7, 7), (48, 32, 1, 1), {}),
    "3x3 strided, uneven pads": ((2, 18, 17, 15), (19, 18, 3, 3), {"pads": [0, 1, 1, 0], "strides": [2, 1]}),
    "3x3 dilated": ((1, 16, 12, 12), (16, 16, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "groups of no whole block": ((1, 20, 6, 6), (36, 5, 1, 1), {"group": 4}),
    "one pixel": ((1, 64, 1, 1), (96, 64, 1, 1), {}),
}


check = partial(check_convolution, KERNEL, (16, 1))


@EVERYWHERE
@pytest.mark.parametrize("case", CASES)
def test_gives_the_numbers_of_the_dense_operator(case: str, where: str) -> None:
    check(*CASES[case], where=where)


@settings(max_examples=4)
@given(st.data())
def test_any_shape(data: st.DataObject) -> None:
    size, stride, dilation = (data.draw(st.sampled_from(s)) for s in ([1, 2, 3], [1, 2], [1, 2]))
    least = max(1, 17 - block_size(host()))  # outputs that take the memory of 16
    inputs, outputs, pads = data.draw(st.integers(1, 40)), data.draw(st.integers(least, 40)), data.draw(st.integers(0, 2))
    extents = [data.draw(st.integers(dilation * (size - 1) + 1, 19)) for _ in range(2)]
    attributes: dict[str, Attribute] = {"pads": [pads, 1, 0, pads], "strides": [stride] * 2, "dilations": [dilation] * 2}
    check((1, inputs, *extents), (outputs, inputs, size, size), attributes, data.draw(st.sampled_from([0, 0.1, 0.6])))


@pytest.mark.parametrize("kind", ["Relu", "Clip", "HardSwish"])
def test_residual_and_activation(kind: str) -> None:
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "activation": kind}
    check((1, 24, 7, 9), (20, 24, 3, 3), attributes | ({"alpha": -0.5, "beta": 0.75} if kind == "Clip" else {}), added=True)
