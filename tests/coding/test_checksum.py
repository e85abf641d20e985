"""The checksum of weights: any damage of one word is found, and none of those that sums are blind to gets by."""

from __future__ import annotations

import numpy as np

from edgeopt.coding.checksum import checksum

WORDS = np.random.default_rng(5).integers(0, 1 << 32, 33, np.uint32)
KNOWN = checksum(WORDS.tobytes())


def test_a_single_bit_is_found_wherever_it_is() -> None:
    data = WORDS.tobytes()
    for at in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << at % 8
        assert checksum(bytes(damaged)) != KNOWN, at


def test_pairs_of_like_bits_and_stuck_lines_are_found() -> None:
    for bit in (np.uint32(1 << i) for i in range(32)):
        stuck = [WORDS & ~bit, WORDS | bit, WORDS ^ bit]
        pairs = [np.concatenate([WORDS[:3] ^ bit, WORDS[3:i], WORDS[i : i + 3] ^ bit, WORDS[i + 3 :]]) for i in range(3, 30)]
        assert all(checksum(damaged.tobytes()) != KNOWN for damaged in (*stuck, *pairs))


def test_it_depends_on_order_and_on_what_lies_at_the_end() -> None:
    swapped, cleared = WORDS.copy(), WORDS.copy()
    swapped[[0, 1]], cleared[-1] = WORDS[[1, 0]], 0
    assert len({KNOWN, checksum(swapped.tobytes()), checksum(cleared.tobytes())}) == 3
