"""Products of two computed matrices of bytes against their meaning, exactly where it is exact, and on every target."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.kernels.integer.quant_matmul import KERNEL
from edgeopt.kernels.integer.quant_plain import KERNELS as PLAIN
from edgeopt.runtime.emulate import Emulator
from tests.kernels.harness import run
from tests.kernels.integer.test_quant_plain import single
from tests.kernels.quant_harness import Grid, codes, compare, expected

WHERE = pytest.mark.parametrize("where", ["host", "x86-64-v3"])
SHAPES = [
    ((3, 49, 36), (3, 36, 49)),
    ((2, 2, 17, 64), (2, 2, 64, 16)),
    ((40, 70), (70, 100)),
    ((1, 2, 5, 7), (1, 2, 7, 33)),
    ((2, 1, 4), (2, 4, 16)),
]
GRIDS = {
    "unsigned": (Grid(0.02, 117), Grid(0.03, 140), Grid(0.1, 128)),
    "probabilities": (Grid(1 / 255, 0), Grid(0.03, 128), Grid(0.05, 120)),
    "signed": (Grid(0.02, -7, "int8"), Grid(0.03, 12, "int8"), Grid(0.1, 3, "int8")),
}


def graph_of(shapes: tuple[tuple[int, ...], tuple[int, ...]], case: str) -> tuple[Graph, dict[str, Array]]:
    x, z, y = GRIDS[case]
    graph = single("QuantMatMul", shapes, [0, *x.arrays, 1, *z.arrays, *y.arrays], {}, x.dtype)
    return graph, {f"x{i}": codes(x.dtype, *shape) for i, shape in enumerate(shapes)}


@WHERE
@pytest.mark.parametrize("case", GRIDS)
@pytest.mark.parametrize("shapes", SHAPES)
def test_agrees_with_its_meaning(shapes: tuple[tuple[int, ...], tuple[int, ...]], case: str, where: str) -> None:
    graph, data = graph_of(shapes, case)
    truth = expected(graph, data)
    assert 0 < (truth == truth.reshape(-1)[0]).mean() < 0.9
    for by_chunks in (False, True):
        compare(run(graph, data, [KERNEL], where, by_chunks), truth)


def test_broadcast_stacks_by_definition() -> None:
    graph, data = graph_of(((2, 3, 5, 6), (3, 6, 8)), "unsigned")
    compare(run(graph, data, PLAIN), expected(graph, data))


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("target", ["arm", "cortex-a76"])
@pytest.mark.parametrize("case", ["unsigned", "signed"])
def test_same_codes_on_arm(case: str, target: str) -> None:
    graph, data = graph_of(((2, 9, 22), (2, 22, 20)), case)
    host = run(clone(graph), data, [KERNEL])
    with Emulator(edgeopt.compile(graph, level=0, target=target)) as emulator:
        np.testing.assert_array_equal(next(iter(emulator.run(data).values())), host)
