"""QuantAdd gives the codes of its float meaning on every pair of codes, not only on almost all."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array
from tests.kernels.harness import run
from tests.kernels.integer.test_quant_blocked import EVERYWHERE, TABLE, behind_copies
from tests.kernels.quant_harness import Grid

GRIDS = {
    "of a network": (Grid(0.03871805965900421, 169), Grid(0.027049347758293152, 0), Grid(0.03320953994989395, 0)),
    "powers of two": (Grid(0.25, 128), Grid(0.125, 3), Grid(0.5, 77)),
    "thirds": (Grid(0.1, 0), Grid(0.2, 255), Grid(0.3, 128)),
    "one far finer": (Grid(0.7, 31), Grid(0.0011, 200), Grid(0.9, 31)),
    "far too fine a result": (Grid(3.0, 100), Grid(5.0, 101), Grid(1e-6, 9)),
    "signed": (Grid(0.0173, -100, "int8"), Grid(0.0219, 17, "int8"), Grid(0.0301, -128, "int8")),
}


def meaning(a: Array, b: Array, grids: tuple[Grid, Grid, Grid], relu: bool) -> Array:
    """DequantizeLinear, Add, Relu, QuantizeLinear, each rounded to float32."""
    pairs, z = zip((a, b), grids[:2], strict=True), grids[2]
    x, y = ((c.astype(np.float32) - np.float32(g.zero)) * np.float32(g.scale) for c, g in pairs)
    total = np.maximum(x + y, np.float32(0)) if relu else x + y
    limits = np.iinfo(z.dtype)
    made: Array = np.clip(np.rint(total / np.float32(z.scale)) + np.float32(z.zero), limits.min, limits.max).astype(z.dtype)
    return made


@EVERYWHERE
@pytest.mark.parametrize("name", GRIDS)
def test_every_pair_of_codes(name: str, where: str) -> None:
    grids, kind = GRIDS[name], "Relu" if name in ("of a network", "thirds") else ""
    inputs: list[Array | int] = [0, *grids[0].arrays, 1, *grids[1].arrays, *grids[2].arrays]
    dtype, low = grids[0].dtype, int(np.iinfo(grids[0].dtype).min)
    every = np.arange(low, low + 256).astype(dtype)
    a, b = (m.reshape(1, 16, 64, 64) for m in np.meshgrid(every, every, indexing="ij"))
    graph = behind_copies("QuantAdd", a.shape, 2, inputs, {"activation": kind} if kind else {}, dtype=dtype)
    result = run(graph, {"x0": np.ascontiguousarray(a), "x1": np.ascontiguousarray(b)}, TABLE, where)
    np.testing.assert_array_equal(result, meaning(a, b, grids, bool(kind)))
