"""Integer kernels for AVX2 without an 8-bit dot product: right by their meaning, and the codes of the plain form exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.ir import Array, Attribute
from edgeopt.kernels.call import Kernel
from edgeopt.kernels.integer import quant_conv, quant_depthwise_wide, quant_gemm
from edgeopt.kernels.integer.quant_product_plain import KERNELS as PLAIN
from edgeopt.target import target
from tests.kernels.harness import run
from tests.kernels.integer.test_quant_conv import CASES, Shape, check
from tests.kernels.integer.test_quant_depthwise import CASES as DEPTHWISE
from tests.kernels.integer.test_quant_gemm import product
from tests.kernels.quant_harness import Grid, codes, conv_graphs

V3 = "x86-64-v3"
pytestmark = pytest.mark.skipif(
    not target(V3).runs_here or target("host").lookup not in ("pshufb", "vpermb"), reason="this processor does not run AVX2 code"
)
CONV, WIDE, GEMM = quant_conv.KERNEL, quant_depthwise_wide.KERNEL, quant_gemm.KERNEL
MORE: dict[str, tuple[Shape, Shape, dict[str, Attribute]]] = {
    "dilated columns": ((1, 20, 9, 11), (20, 1, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "1x1": ((1, 16, 5, 3), (16, 1, 1, 1), {}),
    "one pixel": ((2, 8, 1, 1), (8, 1, 1, 1), {}),
    "2x2": ((1, 9, 6, 7), (9, 1, 2, 2), {"strides": [2, 2]}),
}


@pytest.mark.parametrize("case", CASES)
def test_convolution(case: str) -> None:
    check(*CASES[case], [CONV], where=V3)


@pytest.mark.parametrize("case, dtype", [*((c, "uint8") for c in [*DEPTHWISE, *MORE]), ("3x3", "int8"), ("7x4 strided", "int8")])
def test_depthwise(case: str, dtype: str) -> None:
    shape, weight, attributes = {**DEPTHWISE, **MORE}[case]
    x = Grid(0.02, 117 if dtype == "uint8" else -17, dtype)
    check(shape, weight, attributes | {"group": shape[1]}, [WIDE], x=x, y=Grid(0.02, 131), where=V3)


@pytest.mark.parametrize("channels", [1, 5, 7, 8, 9, 17, 31, 33])
def test_channels_around_the_vector_width(channels: int) -> None:
    check((1, channels, 6, 5), (40 - channels, channels, 3, 3), {"pads": [1, 1, 1, 1]}, [CONV], where=V3)
    group: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "group": channels + 4}  # fewer lie in blocks of four
    check((1, channels + 4, 6, 5), (channels + 4, 1, 3, 3), group, [WIDE], y=Grid(0.02, 3), where=V3)


@pytest.mark.parametrize("result", [Grid(0.0625, 128), Grid(0.05, -3, "int8")])
@pytest.mark.parametrize("kind", ["Relu", "HardSwish"])
def test_residual_and_activation(kind: str, result: Grid) -> None:
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "activation": kind}
    added = Grid(0.05, 3, result.dtype)
    check((1, 24, 7, 9), (20, 24, 3, 3), attributes, [CONV], y=result, residual=added, where=V3)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(
    "rows, depth, columns", [((1,), 64, 1000), ((1,), 37, 17), ((2, 3), 16, 33), ((5,), 7, 16), ((300,), 70, 100)]
)
def test_product(rows: tuple[int, ...], depth: int, columns: int, dtype: str) -> None:
    graph = product(rows, depth, columns, dtype, residual=True)
    data = {v.name: codes(dtype, *v.type.dims) for v in graph.inputs if v.type is not None}
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, data, [GEMM], V3, by_chunks), run(graph, data, PLAIN))


OTHERS = {
    "avx512": replace(target("x86-64-v4"), features="", dot4="", lookup=""),
    "sse": replace(target(V3), cpu="x86-64-v2", vector_bytes=16, fma=False, lookup=""),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_widths_without_a_dot_product(name: str) -> None:
    where = OTHERS[name]
    if where.vector_bytes > target("host").vector_bytes:
        pytest.skip("this processor has no registers of 512 bits")
    check(*CASES["3x3 strided, uneven pads"], [CONV], where=where)
    shape, weight, attributes = DEPTHWISE["5x5"]
    check(shape, weight, attributes | {"group": shape[1]}, [WIDE], y=Grid(0.02, 131), where=where)


def same(w: Array, x: Array, attributes: Mapping[str, Attribute], kernel: Kernel, zero: int) -> None:
    """The codes of ``kernel`` on AVX2 are those of the plain form, which sums in 32 bits."""
    grid, count = Grid(0.02, zero, x.dtype.name), w.shape[0]
    largest = float(np.abs(w.astype(int)).sum(axis=(1, 2, 3)).max()) * 255 or 1.0
    scale, zeros = np.full(count, 50 / largest, np.float32), np.zeros(count, np.int8)
    fused, _ = conv_graphs(grid, x.shape, w, scale, zeros, None, Grid(0.01, 128), dict(attributes))
    np.testing.assert_array_equal(run(fused, {"x": x}, [kernel], V3), run(fused, {"x": x}, PLAIN))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_never_saturates_inside(data: st.DataObject) -> None:
    """Codes and weights at the ends of their ranges, in which vpmaddubsw would saturate."""
    dtype, zero = data.draw(st.sampled_from([("uint8", 0), ("uint8", 255), ("int8", -128), ("int8", 127)]))
    ends = (0, 255) if dtype == "uint8" else (-128, 127)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    share = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    x = np.where(rng.random((1, 16, 4, 5)) < share, *ends).astype(dtype)
    positive = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    depthwise = data.draw(st.booleans())
    w = np.where(rng.random((16, 1 if depthwise else 16, 3, 3)) < positive, 127, -128).astype(np.int8)
    group: dict[str, Attribute] = {"group": 16} if depthwise else {}
    same(w, x, {"pads": [1, 1, 1, 1], **group}, WIDE if depthwise else CONV, zero)
