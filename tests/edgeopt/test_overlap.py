"""Results lie over the inputs of their steps where that is sound, and memory is saved by it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.assembly import assemble
from edgeopt.lower.memory import ALIGNMENT
from edgeopt.lower.overlap import Overlap, shared
from edgeopt.lower.packing import packed
from edgeopt.lower.plan import Buffer, plan
from edgeopt.target import host
from tests.kernels.channels_last.networks import CHAIN, chain, scalar_host

SIZES = st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 700), st.booleans()), min_size=2, max_size=12)


@given(SIZES)
def test_only_what_may_overlap_does(sizes: list[tuple[int, int, bool]]) -> None:
    """A chain of buffers, some of which live longer: at every step its result begins before its input, by the lag, or apart."""
    buffers = [Buffer(size, i, i + 1 + 2 * longer) for i, (size, _, longer) in enumerate(sizes)]
    overlaps = [Overlap(i + 1, buffers[i], buffers[i + 1], sizes[i][1]) for i in range(len(buffers) - 1)]
    pieces = shared(buffers, overlaps)
    arena = plan([whole for whole, _ in pieces])
    for whole, shifts in pieces:
        for buffer, shift in shifts.items():
            buffer.offset = whole.offset + shift
            assert shift + buffer.size <= whole.size
    for i, a in enumerate(buffers):
        assert a.offset >= 0 and a.offset + a.size <= arena
        for j, b in enumerate(buffers[:i]):
            apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
            over = j == i - 1 and b.last == i and a.offset + sizes[j][1] <= b.offset
            assert apart or over or a.first > b.last


def test_a_chain_in_place_computes_the_same_in_less_memory() -> None:
    graph, x = chain(CHAIN, (1, 5, 12, 10))
    right = assemble(graph, host()).run({"x": x})
    made = assemble(graph, scalar_host())
    for _ in range(3):
        for name, codes in made.run({"x": x}).items():
            np.testing.assert_array_equal(codes, right[name])
    maps = 12 * 10
    assert made.manifest["arena_bytes"] < maps * (24 + 16)  # the largest map and its input


def test_several_images_are_kept_apart() -> None:
    graph, x = chain(CHAIN[:2], (2, 3, 5, 6))
    right = assemble(graph, host()).run({"x": x})
    for name, codes in assemble(graph, scalar_host()).run({"x": x}).items():
        np.testing.assert_array_equal(codes, right[name])


@given(SIZES)
def test_packing_keeps_apart_what_may_not_overlap(sizes: list[tuple[int, int, bool]]) -> None:
    buffers = [Buffer(size, i, i + 1 + 2 * longer) for i, (size, _, longer) in enumerate(sizes)]
    overlaps = [Overlap(i + 1, buffers[i], buffers[i + 1], sizes[i][1]) for i in range(len(buffers) - 1)]
    arena, offsets = packed(buffers, overlaps)
    for i, (a, at) in enumerate(zip(buffers, offsets, strict=True)):
        assert at >= 0 and at % ALIGNMENT == 0 and at + a.size <= arena
        for j, b in enumerate(buffers[:i]):
            apart = at + a.size <= offsets[j] or offsets[j] + b.size <= at
            over = j == i - 1 and b.last == i and at + sizes[j][1] <= offsets[j]
            assert apart or over or a.first > b.last


def test_a_picture_lies_under_the_largest_map() -> None:
    """First layers of person detection: a picture, its convolution, a depthwise layer, and a map of twice the channels."""
    picture, first, second, largest = Buffer(27648, 0, 0), Buffer(18432, 0, 1), Buffer(18432, 1, 2), Buffer(36864, 2, 3)
    overlaps = [Overlap(0, picture, first, 384), Overlap(1, first, second, 0), Overlap(2, second, largest, 18432)]
    assert packed([picture, first, second, largest], overlaps)[0] == 36864
    assert packed([], []) == (0, [])
