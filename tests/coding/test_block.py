"""A file of weights: parts, transforms and what is kept come back; damage, whatever it is, is one message and no overrun."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeopt.coding.block import Part, Transform, entries_of, kept, read, work_bytes, write
from edgeopt.coding.container import PIECE, content
from edgeopt.coding.restore import ENTRY, HEAD
from edgeopt.errors import EdgeoptError
from tests.coding.winograd_weights import transformed

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(3)
WEIGHT = RNG.standard_normal((5, 3, 3, 3)).astype(np.float32)
TILES, WIDTH, DEPTH = 2, 4, 4
PANEL = 4 * 36 * TILES * WIDTH * DEPTH


def parts() -> list[Part]:
    small = RNG.integers(-3, 4, 500).astype(np.int8)
    transform = Transform(4, 5, 3, WIDTH, DEPTH)
    return [
        Part(content(small), 1, 64),
        Part(content(WEIGHT), 4, 1024, PANEL, transform),
        Part(content(np.arange(9.0)), 8, None),
        Part(content(np.full(40, 2.5, np.float32)), 4, 1024 + PANEL),
    ]


def block(file: bytes | memoryview, size: int, threads: int | None = None) -> Array:
    made = np.zeros(size, np.uint8)
    read(file, made.data, threads)
    return made


def test_parts_lie_where_they_belong() -> None:
    given = parts()
    file, stored = write(given)
    made = block(file, 1024 + PANEL + 160)
    np.testing.assert_array_equal(made[64:564], given[0].data)
    np.testing.assert_array_equal(made[1024 + PANEL :], given[3].data)
    assert not made[:64].any() and not made[564:1024].any()
    np.testing.assert_array_equal(kept(file, stored[2].entry, 72).view(np.float64), np.arange(9.0))
    np.testing.assert_array_equal(kept(file, stored[1].entry, WEIGHT.nbytes).view(np.float32), WEIGHT.reshape(-1))
    assert 0 <= len(file) - HEAD - sum(s.bytes for s in stored) < 4 and len(file) % 4 == 0


def test_a_transform_is_what_the_kernels_pack() -> None:
    file, _ = write(parts())
    made = block(file, 1024 + PANEL + 160)[1024 : 1024 + PANEL].view(np.float32)
    full = np.zeros((36, TILES * WIDTH, DEPTH), np.float32)
    full[:, :5, :3] = transformed(WEIGHT, 4)
    wanted = full.reshape(36, TILES, WIDTH, DEPTH).transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(made, wanted.reshape(-1))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_the_work(threads: int) -> None:
    arrays = [RNG.integers(0, 9, n).astype(np.uint8) for n in (PIECE + 5, 3 * PIECE, 100, 2 * PIECE)]
    starts = np.cumsum([0, *(len(a) + -len(a) % 64 for a in arrays)])
    file, _ = write([Part(a, 1, int(s)) for a, s in zip(arrays, starts, strict=False)])
    made = block(file, int(starts[-1]), threads)
    for array, start in zip(arrays, starts, strict=False):
        np.testing.assert_array_equal(made[start : start + len(array)], array)


def test_a_file_of_nothing() -> None:
    file, _ = write([])
    read(file, np.zeros(0, np.uint8).data)
    assert work_bytes(entries_of(file)) == 0


def test_damage_is_no_crash_and_no_overrun() -> None:
    """Heads, entries and contents with wild numbers in them: refused or decoded to something else, and never outside."""
    file, _ = write(parts())
    rng, size = np.random.default_rng(1), 1024 + PANEL + 160
    wild = [-1, 0, 1, 1 << 31, 1 << 62, -(1 << 63), size, len(file)]
    for _ in range(400):
        broken = bytearray(file)
        at = int(rng.integers(HEAD, HEAD + 5 * ENTRY)) // 8 * 8
        broken[at : at + 8] = int(rng.choice(wild)).to_bytes(8, "little", signed=True)
        broken[int(rng.integers(16, len(file)))] ^= int(rng.integers(0, 256))
        memory = np.full(size + 4096, 0x5C, np.uint8)
        try:
            read(bytes(broken), memory[2048 : 2048 + size].data, 1)
        except EdgeoptError as error:
            assert "weights" in str(error)
        assert (memory[:2048] == 0x5C).all() and (memory[2048 + size :] == 0x5C).all()


@pytest.mark.parametrize("cut", [0, 3, 15, 16, 40, 200])
def test_a_file_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(EdgeoptError, match="weights"):
        block(write(parts())[0][:cut], 1024 + PANEL + 160)


def test_another_version_is_told() -> None:
    file = bytearray(write(parts())[0])
    file[4] = 9
    with pytest.raises(EdgeoptError, match="version 9"):
        block(bytes(file), 1024 + PANEL + 160)


def test_weights_for_less_memory_are_refused() -> None:
    with pytest.raises(EdgeoptError, match="damaged"):
        block(write(parts())[0], 1024 + PANEL)
