"""SparseConv of single nonzeros over plain maps: the numbers of the dense operator, whatever the shape, on every target."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.sparse import csr_conv
from edgeopt.kernels.sparse.csr_bands import Extent, extent_of
from edgeopt.kernels.sparse.csr_conv import KERNEL
from edgeopt.kernels.sparse.csr_planes import PlainMap
from edgeopt.target import Target
from tests.kernels.sparse_harness import EVERYWHERE, check_convolution

Shape = tuple[int, ...]
CASES: dict[str, tuple[Shape, Shape, dict[str, Attribute]]] = {
    "1x1, planes of whole lines": ((1, 8, 16, 16), (5, 8, 1, 1), {}),
    "1x1, planes of no whole lines": ((2, 8, 7, 7), (19, 8, 1, 1), {}),
    "1x1 strided": ((1, 8, 9, 11), (16, 8, 1, 1), {"strides": [2, 2]}),
    "3x3 over 7 columns": ((1, 8, 7, 7), (6, 8, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3 over 28 columns": ((1, 5, 30, 28), (6, 5, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3 strided, uneven pads": ((2, 6, 17, 15), (7, 6, 3, 3), {"pads": [0, 1, 1, 0], "strides": [2, 1]}),
    "5x3 dilated": ((1, 4, 23, 20), (3, 4, 5, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "grouped": ((1, 12, 6, 6), (9, 4, 3, 3), {"pads": [1, 1, 1, 1], "group": 3}),
    "one pixel": ((1, 40, 1, 1), (9, 40, 1, 1), {}),
}


check = partial(check_convolution, KERNEL, (1, 1))


@EVERYWHERE
@pytest.mark.parametrize("case", CASES)
def test_gives_the_numbers_of_the_dense_operator(case: str, where: str) -> None:
    check(*CASES[case], where=where)


@settings(max_examples=4)
@given(st.data())
def test_any_shape(data: st.DataObject) -> None:
    size, stride, dilation = (data.draw(st.sampled_from(s)) for s in ([1, 2, 3], [1, 2], [1, 2]))
    inputs, outputs, pads = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12)), data.draw(st.integers(0, 2))
    extents = [data.draw(st.integers(dilation * (size - 1) + 1, 40)) for _ in range(2)]
    attributes: dict[str, Attribute] = {"pads": [pads, 1, 0, pads], "strides": [stride] * 2, "dilations": [dilation] * 2}
    check((1, inputs, *extents), (outputs, inputs, size, size), attributes, data.draw(st.sampled_from([0, 0.1, 0.6])))


def in_bands(target: Target, made: PlainMap, turns: tuple[int, ...], weight: Array, group: int, images: int) -> Extent:
    """The extent of a tile that walks three bands of channels."""
    found, channels = extent_of(target, made, turns, weight, group, images), -(-weight.shape[1] // 3)
    bands = -(-weight.shape[1] // channels)
    return replace(found, bands=bands, planes=replace(found.planes, channels=channels), span=4)


@EVERYWHERE
@pytest.mark.parametrize("case", ["1x1, planes of no whole lines", "3x3 over 7 columns", "3x3 strided, uneven pads"])
def test_bands_of_channels(case: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csr_conv, "extent_of", in_bands)
    check(*CASES[case], where=where, added=case.startswith("1x1"))


@pytest.mark.parametrize("kind", ["Relu", "Clip"])
def test_residual_and_activation(kind: str) -> None:
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "activation": kind}
    check((1, 6, 7, 9), (5, 6, 3, 3), attributes | ({"alpha": -0.5, "beta": 0.75} if kind == "Clip" else {}), added=True)
