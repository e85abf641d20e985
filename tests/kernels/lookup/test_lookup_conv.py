"""Look-up convolutions: what the body says but for the loss of byte tables, and the same numbers on every target."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.ir import Attribute, Graph
from edgeopt.ir.clone import clone
from edgeopt.kernels.lookup import KERNELS, lookup_conv, lookup_plain
from edgeopt.lower.lowering import lower
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import target
from tests.kernels.harness import run
from tests.kernels.lookup_harness import INPUT, TABLE_LOSS, data_of, lookup_graph, loss, meant
from tests.kernels.quant_harness import Grid

TABLES, PLAIN = [lookup_conv.KERNEL], list(lookup_plain.KERNELS)
V3 = "x86-64-v3"
PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
Case = tuple[tuple[int, ...], int, tuple[int, int], dict[str, Attribute]]
CASES: dict[str, Case] = {
    "1x1": ((1, 32, 7, 7), 48, (1, 1), {}),
    "3x3": ((1, 32, 9, 10), 64, (3, 3), {**PADS, "activation": "Relu"}),
    "strided": ((2, 19, 9, 11), 21, (3, 3), {"pads": [2, 1, 1, 2], "strides": [2, 1], "activation": "HardSwish"}),
    "dilated": ((1, 24, 9, 11), 17, (3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "grouped": ((1, 64, 6, 5), 96, (3, 3), {**PADS, "group": 2}),
    "many channels": ((1, 160, 4, 5), 40, (3, 3), PADS),
    "large window": ((1, 16, 12, 12), 16, (9, 9), {"pads": [4, 4, 4, 4]}),
}
BANDED: dict[str, tuple[Case, int]] = {  # with a second cache that is too small for all tables
    "1x1": (CASES["1x1"], 8192),
    "strided, two images": (CASES["strided"], 8192),
    "dilated": (((1, 24, 64, 11), 17, (3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}), 65536),
    "grouped": (((1, 64, 48, 5), 96, (3, 3), {**PADS, "group": 2}), 65536),
}
BOOKS = {"K16 C'4": (1, 16, 4), "additive": (2, 16, 4), "C'2": (1, 16, 2), "few codewords": (1, 11, 4), "C'1": (1, 5, 1)}
needs_tables = pytest.mark.skipif(target("host").lookup not in ("vpermb", "pshufb", "tbl"), reason="no look-up of bytes")
runs_v3 = pytest.mark.skipif(not target(V3).runs_here, reason="this processor does not run AVX2 code")


def case_graph(case: Case, books: tuple[int, int, int] = (1, 16, 4), x: Grid = INPUT, y: Grid | None = None) -> Graph:
    shape, outputs, taps, attributes = case
    return lookup_graph("LookupConv", shape, outputs, taps, attributes, x, y, books=books)


@needs_tables
@pytest.mark.parametrize("books", BOOKS)
def test_codebooks_agree_with_meaning(books: str) -> None:
    graph = case_graph(CASES["3x3" if books == "K16 C'4" else "strided"], BOOKS[books])
    data = data_of(graph)
    for by_chunks in (False, True):
        assert 0 < loss(run(graph, data, TABLES, by_chunks=by_chunks), meant(graph, data)) < TABLE_LOSS


@needs_tables
@pytest.mark.parametrize("case", CASES)
def test_windows_agree_with_meaning(case: str) -> None:
    graph = case_graph(CASES[case], x=Grid(0.02, 117))
    data = data_of(graph)
    assert loss(run(graph, data, TABLES), meant(graph, data)) < TABLE_LOSS


@needs_tables
@pytest.mark.parametrize("case", BANDED)
def test_bands_give_the_same_bits(case: str) -> None:
    window, cache = BANDED[case]
    graph = case_graph(window, x=Grid(0.02, 117), y=Grid(0.25, 128))
    data, small = data_of(graph), replace(target("host"), l2=cache)
    assert len(lower(graph, small, "one", TABLES).native) < len(lower(graph, target("host"), "one", TABLES).native)
    for by_chunks in (False, True):
        np.testing.assert_array_equal(run(graph, data, TABLES, small, by_chunks), run(graph, data, TABLES))


@pytest.mark.parametrize("case", [*CASES.values(), ((1, 18, 5, 6), 9, (3, 3), {**PADS, "group": 3})])
def test_plain_is_exact(case: Case) -> None:
    graph = case_graph(case, (2, 13, 8), x=Grid(0.02, 3))
    data = data_of(graph)
    np.testing.assert_allclose(run(graph, data, PLAIN), meant(graph, data), rtol=1e-4, atol=1e-3)


@needs_tables
@pytest.mark.parametrize("y", [Grid(0.25, 128), Grid(0.25, -3, "int8"), Grid(0.001, 1000, "uint16")])
@pytest.mark.parametrize("x", [Grid(0.02, 0), Grid(0.02, -17, "int8")])
def test_codes_and_residual(x: Grid, y: Grid) -> None:
    attributes = {**PADS, "activation": "Relu"}
    graph = lookup_graph("LookupConv", (1, 32, 7, 9), 32, (3, 3), attributes, x, y, Grid(0.5, 100))
    data = data_of(graph)
    got, wanted = (a.astype(np.float64) - y.zero for a in (run(graph, data, TABLES), meant(graph, data)))
    assert wanted.std() > 10 and loss(got, wanted) < TABLE_LOSS


@given(st.data())
@settings(max_examples=6, deadline=None)
def test_any_window(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    group, taps = draw(1, 2), (draw(1, 3), draw(1, 3))
    channels, outputs = (16 * draw(1, 2), 16 * draw(1, 3)) if group > 1 else (draw(5, 40), draw(5, 40))
    attributes: dict[str, Attribute] = {"pads": [draw(0, 2) for _ in range(4)], "group": group}
    attributes |= {"strides": [draw(1, 2), draw(1, 2)], "dilations": [draw(1, 2), draw(1, 2)]}
    books = data.draw(st.sampled_from([(1, 16, 4), (2, 16, 4), (1, 16, 2), (1, 7, 4)]))
    case = ((1, group * channels, draw(5, 9), draw(5, 9)), group * outputs, taps, attributes)
    graph = case_graph(case, books, x=Grid(0.02, draw(0, 255)))
    values = data_of(graph)
    assert loss(run(graph, values, KERNELS), meant(graph, values)) < TABLE_LOSS


@runs_v3
@needs_tables
@pytest.mark.parametrize("case", ["strided", "many channels", "large window"])
def test_same_numbers_with_avx2(case: str) -> None:
    graph = case_graph(CASES[case], (2, 16, 4), x=Grid(0.02, 117), y=Grid(0.25, 128))
    data = data_of(graph)
    np.testing.assert_array_equal(run(graph, data, TABLES, V3), run(graph, data, TABLES))


@needs_tables
@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("name", ["arm", "cortex-a76"])
@pytest.mark.parametrize("case", ["strided"])
def test_same_numbers_on_arm(case: str, name: str) -> None:
    graph = case_graph(CASES[case], (2, 16, 4), x=Grid(0.02, -11, "int8"), y=Grid(0.25, 1, "int8"))
    data = data_of(graph)
    with Emulator(edgeopt.compile(clone(graph), level=0, target=name)) as emulator:
        there = next(iter(emulator.run(data).values()))
    np.testing.assert_array_equal(there, run(graph, data, TABLES))


def test_codes_are_stored_in_half_a_byte() -> None:
    graph = case_graph(((1, 64, 8, 8), 64, (3, 3), PADS))
    program = lower(graph, target(V3), "one", KERNELS)
    codes, books = 64 * 16 * 9 // 2, 64 * 16
    assert codes + books < len(program.weights) < codes + books + 4096


def test_odd_groups_are_served_without_tables() -> None:
    graph = case_graph(((1, 18, 5, 6), 9, (3, 3), {**PADS, "group": 3}))
    assert not lower(graph, target("host"), "one", KERNELS).fallbacks
    reasons = lower(graph, target("host"), "one", TABLES).fallbacks
    assert reasons and "no whole blocks" in reasons[0].reason
