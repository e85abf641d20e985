"""Codes of 8 and 16 bits come back from the blocked layout as they were, for all widths, channels and borders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeopt.ir import Graph
from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from tests.drawing import RNG
from tests.kernels.harness import run, single


def _copied(
    x: Any, y: Any, begin: Any, end: Any, height: Any, row: Any, x0: Any, xr: Any, xp: Any, y0: Any, yr: Any, yp: Any
) -> None:
    for plane in range(begin, end):
        for i in range(height):
            for j in range(row):
                y[y0 + plane * yp + i * yr + j] = x[x0 + plane * xp + i * xr + j]


def _select(site: Site) -> tuple[KernelCall, ...]:
    """Copies a blocked map with a halo to one without."""
    x, y = site.given(0), site.outputs[0]
    block = x.layout.block
    places = (v for t in (x, y) for v in (t.origin * block, t.row * block, t.plane * block))
    chunks = x.shape[0] * x.blocks
    return (KernelCall(_copied, (Input(0), Output(0)), (x.shape[2], x.shape[3] * block, *places), chunks),)


def blocked_copy(pad: int) -> Kernel:
    return Kernel("blocked_copy", ("Identity",), _select, layout="blocked", hot=True, halo=lambda node: (pad, pad, pad, 2 * pad))


MAPS = [(1, 2, 3, 0), (3, 2, 70, 1), (24, 3, 9, 1), (33, 7, 7, 0), (17, 2, 16, 1)]


def there_and_back(shape: tuple[int, ...], dtype: str, pad: int, target: str) -> None:
    x = RNG.integers(0, 120, shape).astype(dtype)
    graph: Graph = single("Identity", {"x": x})
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, {"x": x}, [blocked_copy(pad)], target, by_chunks), x)


@pytest.mark.parametrize("target", ["host", "x86-64-v3"])
@pytest.mark.parametrize("dtype", ["uint8", "int16"])
@pytest.mark.parametrize("channels, height, width, pad", MAPS)
def test_there_and_back(channels: int, height: int, width: int, pad: int, dtype: str, target: str) -> None:
    there_and_back((2, channels, height, width), dtype, pad, target)
