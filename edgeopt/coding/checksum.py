"""The checksum of a file of weights, as cheap on a microcontroller as it is here: three instructions for four bytes.

Each word is added bit by bit, then the sum is turned and multiplied by an odd number. No step loses anything: whatever damage
lies within one word is found, and what damaged words do elsewhere, such as a line of the bus that is stuck, is spread over all
bits, so that it makes up for itself once in 2**32 times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.compiled import compiled

TURN, FACTOR, MASK = 15, 0x9E3779B1, 0xFFFFFFFF


def checksum(data: bytes | memoryview) -> int:
    """That of ``data``, little-endian words of 4 bytes."""
    return int(_sum(np.frombuffer(data, "<u4")))


@compiled
def _sum(words: Any) -> int:
    total = 0
    for i in range(len(words)):
        total ^= int(words[i])
        total = (total << TURN | total >> 32 - TURN) & MASK
        total = total * FACTOR & MASK
    return total
