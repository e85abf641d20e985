"""Look-up matrix products: what the body says but for the loss of byte tables, and the same numbers on every target."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.ir.clone import clone
from edgeopt.kernels.lookup import KERNELS, lookup_gemm, lookup_plain
from edgeopt.lower.lowering import lower
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import target
from tests.kernels.harness import run
from tests.kernels.lookup_harness import TABLE_LOSS, data_of, lookup_graph, loss, meant
from tests.kernels.quant_harness import Grid

TABLES, PLAIN, V3 = [lookup_gemm.KERNEL], list(lookup_plain.KERNELS), "x86-64-v3"
needs_tables = pytest.mark.skipif(target("host").lookup not in ("vpermb", "pshufb", "tbl"), reason="no look-up of bytes")
runs_v3 = pytest.mark.skipif(not target(V3).runs_here, reason="this processor does not run AVX2 code")


@needs_tables
@pytest.mark.parametrize("books", [(1, 16, 4), (2, 16, 4), (1, 16, 2)])
@pytest.mark.parametrize("shape, outputs", [((1, 512), 144), ((3, 20, 96), 33)])
def test_agrees_with_meaning(shape: tuple[int, ...], outputs: int, books: tuple[int, int, int]) -> None:
    graph = lookup_graph("LookupGemm", shape, outputs, (), {"activation": "Relu"}, Grid(0.02, 5), books=books)
    data = data_of(graph)
    for by_chunks in (False, True):
        assert 0 < loss(run(graph, data, TABLES, by_chunks=by_chunks), meant(graph, data)) < TABLE_LOSS


@given(rows=st.integers(1, 30), depth=st.integers(1, 70), outputs=st.integers(1, 70))
@settings(max_examples=5, deadline=None)
def test_any_size(rows: int, depth: int, outputs: int) -> None:
    graph = lookup_graph("LookupGemm", (rows, depth), outputs, (), {}, Grid(0.02, 130))
    data = data_of(graph)
    assert loss(run(graph, data, KERNELS), meant(graph, data)) < TABLE_LOSS


def test_plain_is_exact() -> None:
    graph = lookup_graph("LookupGemm", (3, 21), 10, (), {}, Grid(0.02, 3), books=(2, 13, 8))
    data = data_of(graph)
    np.testing.assert_allclose(run(graph, data, PLAIN), meant(graph, data), rtol=1e-4, atol=1e-3)


@runs_v3
@needs_tables
@pytest.mark.parametrize("shape", [(1, 300), (9, 50)])
def test_same_numbers_with_avx2(shape: tuple[int, ...]) -> None:
    graph = lookup_graph("LookupGemm", shape, 72, (), {}, Grid(0.02, 117), Grid(0.25, 128), Grid(0.5, 100), (2, 16, 4))
    data = data_of(graph)
    np.testing.assert_array_equal(run(graph, data, TABLES, V3), run(graph, data, TABLES))


@needs_tables
@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("name", ["arm", "cortex-a76"])
def test_same_numbers_on_arm(name: str) -> None:
    graph = lookup_graph("LookupGemm", (3, 75), 40, (), {}, Grid(0.02, -11, "int8"), Grid(0.25, 1, "int8"))
    data = data_of(graph)
    with Emulator(edgeopt.compile(clone(graph), level=0, target=name)) as emulator:
        there = next(iter(emulator.run(data).values()))
    np.testing.assert_array_equal(there, run(graph, data, TABLES))


@needs_tables
@pytest.mark.parametrize("name", ["host", pytest.param(V3, marks=runs_v3)])
def test_codes_that_come_from_memory(name: str) -> None:
    graph = lookup_graph("LookupGemm", (1, 256), 96, (), {}, Grid(0.02, 5), books=(2, 16, 4))
    data, small = data_of(graph), replace(target(name), l2=1 << 10)
    np.testing.assert_array_equal(run(graph, data, TABLES, small), run(graph, data, TABLES, name))


def test_codes_are_stored_in_half_a_byte() -> None:
    graph = lookup_graph("LookupGemm", (1, 512), 256, (), {})
    program = lower(graph, target(V3), "one", KERNELS)
    codes, books = 256 * 128 // 2, 512 * 16
    assert codes + books < len(program.weights) < codes + books + 4096
