from __future__ import annotations

import pytest

from edgeopt.kernels.walk.tiling import choose, ranked, stall
from edgeopt.target import target

TARGETS = ["x86-64-v4", "x86-64-v3", "cortex-a72", "armv7"]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("width", [1, 7, 8, 13, 14, 28, 55, 112])
@pytest.mark.parametrize("vectors", [2, 4, 6, 64])
def test_tiles_fit_the_registers_and_cover_the_row(name: str, width: int, vectors: int) -> None:
    facts = target(name)
    tiling = choose(facts, width, vectors)
    inputs = tiling.pixels if facts.multiplies_by_lane else 1
    assert tiling.pixels * tiling.vectors + tiling.vectors + inputs <= facts.vector_registers
    assert vectors % tiling.vectors == 0
    assert (tiling.across - 1) * tiling.pixels < width <= tiling.across * tiling.pixels


def test_wide_rows_fill_the_register_file() -> None:
    tiling = choose(target("x86-64-v4"), 56, 4)
    assert tiling.pixels * tiling.vectors >= 24


def test_one_pixel_of_all_vectors_is_no_choice_for_narrow_maps() -> None:
    assert choose(target("x86-64-v3"), 7, 64).pixels >= 3


def test_weights_from_memory_ask_for_wide_tiles() -> None:
    facts = target("x86-64-v4")
    near, far = (ranked(facts, 16, 16, reading=reading)[0] for reading in (0.0, 6.4))
    assert far.across < near.across
    assert stall(near, 16, 0.0) == 0.0 < stall(near, 16, 6.4)
