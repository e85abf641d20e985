"""What is coded comes back bit for bit, takes what its statistics say, and is refused when it is damaged."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.coding import coded_size, decode, encode
from edgeopt.coding.container import PIECE, content, decode_piece, pieces_of
from edgeopt.coding.frequencies import LARGEST_LOG, entropy_bits, shares
from edgeopt.coding.piece import coded_piece
from edgeopt.errors import EdgeoptError

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(7)
DTYPES = ("bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "float32", "int64", "float64", "complex128")
SIZES = (0, 1, 2, 3, 5, 255, 256, 257, 1023, 1024, 1025, 4099)


def same(array: Array) -> None:
    found = decode(encode(array))
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, np.ascontiguousarray(array).tobytes())


def values(kind: str, size: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    if kind == "normal":
        return rng.standard_normal(size) * 20
    if kind == "one":
        return np.full(size, 3.0)
    if kind == "zeros":
        return np.zeros(size)
    if kind == "few":
        return rng.choice([-1.5, -0.0, 0.0, 2.0, 90.0], size, p=[0.01, 0.01, 0.9, 0.05, 0.03])
    if kind == "sparse":
        return rng.standard_normal(size) * 20 * (rng.random(size) < 0.004)
    return rng.integers(0, 120, size).astype(np.float64)  # many symbols, equally frequent


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(DTYPES),
    st.sampled_from(SIZES),
    st.sampled_from(("normal", "one", "zeros", "few", "sparse", "even")),
    st.integers(0, 1 << 30),
)
def test_every_array_comes_back(dtype: str, size: int, kind: str, seed: int) -> None:
    same(values(kind, size, seed).astype(dtype))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600), st.sampled_from((1, 2, 4, 8)))
def test_every_content_comes_back(data: bytes, width: int) -> None:
    array = np.frombuffer(data[: len(data) // width * width], np.uint8)
    room = np.full(len(array), 0xAA, np.uint8)
    assert decode_piece(np.frombuffer(coded_piece(array, width).to_bytes(), np.uint8), room)
    np.testing.assert_array_equal(room, array)


def test_bits_that_equal_numbers_would_lose_are_kept() -> None:
    same(np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32).repeat(300))
    same(np.full((40, 3), 0x7F800001, np.uint32).view(np.float32))  # a signalling NaN


def test_shapes_and_orders_are_kept() -> None:
    same(np.zeros((2, 0, 3), np.float32))
    same(np.array(2.5, np.float32))
    same(np.asfortranarray(RNG.standard_normal((7, 9))))
    same(RNG.integers(-9, 9, (5, 6, 7)).astype(np.int8)[::2, :, ::-1])


def test_a_tensor_of_several_pieces() -> None:
    array = RNG.standard_normal(PIECE // 4 + 1001).astype(np.float32)
    assert len(list(pieces_of(content(array), 4))) == 2
    same(array)


@pytest.mark.parametrize("symbols", [2, 16, 200])
def test_symbols_take_their_entropy(symbols: int) -> None:
    numbers = np.clip(RNG.standard_normal(1 << 18) * symbols / 6 + symbols / 2, 0, symbols - 1).astype(np.uint8)
    entropy = entropy_bits(np.bincount(numbers))
    floats = RNG.standard_normal(symbols).astype(np.float32)[numbers]
    assert coded_size(floats) * 8 <= entropy + 0.02 * len(numbers) + 48 * symbols + 800
    assert coded_size(numbers) * 8 <= entropy + 0.02 * len(numbers) + 24 * symbols + 800


def test_codings_are_chosen_by_size() -> None:
    floats = (RNG.standard_normal(1 << 15) * 0.05).astype(np.float32)
    sparse = np.where(RNG.random(len(floats)) < 0.1, floats, 0).astype(np.float32)
    noise = RNG.integers(0, 256, 1 << 15).astype(np.uint8)
    codings = {name: coded_piece(content(a), a.itemsize).coding for name, a in (("f", floats), ("s", sparse), ("n", noise))}
    assert codings == {"f": "planes", "s": "sparse planes", "n": "raw"}
    assert coded_size(floats) < 0.85 * floats.nbytes
    assert coded_size(sparse) < 0.11 * sparse.nbytes
    assert coded_size(np.zeros(1 << 20)) < 1000
    assert coded_size(noise) <= noise.nbytes + 120


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 1 << 20), min_size=1, max_size=256))
def test_shares_fill_the_table(counts: list[int]) -> None:
    log, frequencies = shares(np.array(counts))
    assert log <= LARGEST_LOG and frequencies.sum() == 1 << log and frequencies.min() >= 1


@pytest.mark.parametrize("kind", ["normal", "few", "sparse", "even"])
def test_a_damaged_piece_is_no_crash_and_no_overrun(kind: str) -> None:
    """Every byte of the head and model, and random others, against a guard behind the room and behind the piece."""
    array = content(values(kind, 3000, 1).astype(np.float32))
    good = np.frombuffer(coded_piece(array, 4).to_bytes(), np.uint8)
    rng, guard = np.random.default_rng(5), np.full(64, 0x5C, np.uint8)
    places = [*range(min(len(good), 260)), *rng.integers(0, len(good), 300)]
    for place in places:
        cut = int(rng.integers(0, len(good))) if place % 5 == 0 else len(good)
        block = np.concatenate([good, guard])
        block[place] ^= rng.integers(1, 256)
        memory = np.concatenate([np.zeros(len(array), np.uint8), guard])
        decode_piece(block[:cut], memory[: len(array)])
        np.testing.assert_array_equal(memory[len(array) :], guard)


def test_damage_is_told() -> None:
    coded = encode(np.arange(5000, dtype=np.float32))
    for place in (0, 3, 5, 9, 13, 40, len(coded) // 2, len(coded) - 1):
        broken = bytearray(coded)
        broken[place] ^= 0x41
        with pytest.raises(EdgeoptError):
            decode(bytes(broken))
    for size in (0, 5, 16, 60, len(coded) - 1):
        with pytest.raises(EdgeoptError):
            decode(coded[:size])
    with pytest.raises(EdgeoptError, match="version 3"):
        decode(coded[:3] + b"\x03" + coded[4:])


def test_objects_are_refused() -> None:
    with pytest.raises(EdgeoptError, match="lie in no memory"):
        encode(np.array(["a", None], object))


def test_the_checksum_is_of_the_content() -> None:
    array = np.arange(10, dtype=np.int32)
    assert zlib.crc32(array.tobytes()).to_bytes(4, "little") in encode(array)[:16]


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_parts_with_tables_of_their_own_are_coded_by_them(density: float) -> None:
    """Channels in 12 groups with 8 values each: 96 values take 3 bits and their tables, not 6.6 bits."""
    rng = np.random.default_rng(4)
    tables = np.sort(rng.normal(size=(12, 8)).astype(np.float32), axis=1)
    array = np.concatenate([table[rng.integers(0, 8, (16, 32, 3, 3))] for table in tables])
    array = np.where(rng.random(array.shape) < density, array, np.float32(0))
    np.testing.assert_array_equal(decode(encode(array)), array)
    bits = 3 * density + (-density * np.log2(density) - (1 - density) * np.log2(1 - density) if density < 1 else 0)
    assert coded_size(array) < 1.03 * bits / 8 * array.size + 12 * 90
