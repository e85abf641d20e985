"""Integer kernels give the same codes on Arm, emulated, as on the host: with the 8-bit dot product and without."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.emulate import Emulator
from edgeopt.ir import Array, Attribute
from tests.kernels.harness import RNG
from tests.kernels.quant_harness import Grid, codes, compare, conv_graphs, expected

pytestmark = pytest.mark.skipif(
    not (shutil.which("qemu-aarch64") and shutil.which("aarch64-linux-gnu-gcc")), reason="no emulator or compiler for 64-bit Arm"
)
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute]]] = {
    "3x3": ((1, 20, 9, 7), (24, 20, 3, 3), {"pads": [1, 1, 1, 1], "activation": "Relu"}),
    "depthwise": ((1, 24, 9, 7), (24, 1, 3, 3), {"pads": [1, 1, 1, 1], "group": 24}),
}


@pytest.mark.parametrize("target", ["arm", "cortex-a76"])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("case", CASES)
def test_same_codes_as_the_host(case: str, dtype: str, target: str) -> None:
    shape, weight, attributes = CASES[case]
    grids = [Grid(s, z - (128 if dtype == "int8" else 0), dtype) for s, z in ((0.02, 117), (0.06, 120), (0.05, 3))]
    scale = RNG.uniform(0.001, 0.004, weight[0]).astype(np.float32)
    added = grids[2] if case == "3x3" else None
    made = [
        conv_graphs(grids[0], shape, w, scale, np.zeros(weight[0], np.int8), None, grids[1], attributes, added)
        for w in [codes("int8", *weight)]
        for _ in range(2)
    ]
    data: dict[str, Array] = {v.name: codes(dtype, *v.type.dims) for v in made[0][0].inputs if v.type is not None}
    with Emulator(edgeopt.compile(made[0][0], level=0, target=target)) as emulator:
        there = next(iter(emulator.run(data).values()))
    here = next(iter(edgeopt.compile(made[1][0], level=0).run(data).values()))
    np.testing.assert_array_equal(there, here)
    compare(here, expected(made[0][1], data))
