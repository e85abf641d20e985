"""How often each symbol of a model occurs, in shares of a table whose size is a power of two."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LARGEST_LOG = 13  # 8192 states: 32 KB for a decoder, within a hundredth of a bit of the entropy
ENOUGH = 1.001  # times the fewest bits, with which a smaller table is taken
_SMALLEST_LOG = 5


def entropy_bits(counts: Array) -> float:
    """The bits that symbols with these ``counts`` cost at least."""
    counts = counts[counts > 0].astype(np.float64)
    return float(np.sum(counts * np.log2(np.sum(counts) / counts)))


def shares(counts: Array) -> tuple[int, Array]:
    """(log, frequencies): the model of symbols that all occur; its frequencies are at least 1 and sum to 2**log.

    The log is the smallest whose table and symbols together take about the fewest bits.
    """
    if len(counts) == 1:
        return 0, np.ones(1, np.int64)
    least = max(_SMALLEST_LOG, int(np.ceil(np.log2(len(counts)))))
    tried = [(log, rounded(counts, log)) for log in range(least, LARGEST_LOG + 1)]
    bits = [_bits(counts, *model) for model in tried]
    return next(model for model, size in zip(tried, bits, strict=True) if size <= ENOUGH * min(bits))


def _bits(counts: Array, log: int, frequencies: Array) -> float:
    return float(np.sum(counts * (log - np.log2(frequencies))) + 8 * len(varints(frequencies)))


def rounded(counts: Array, log: int) -> Array:
    """Frequencies near ``counts``: steps that cost least, one by one, until they sum to 2**log."""
    size, counts = 1 << log, counts.astype(np.float64)
    found: Array = np.maximum(1, np.round(counts * size / counts.sum())).astype(np.int64)
    while (missing := size - int(found.sum())) > 0:
        gains = counts * np.log2((found + 1) / found)
        found[np.argsort(-gains, kind="stable")[:missing]] += 1
    while (over := int(found.sum()) - size) > 0:
        losses = np.where(found > 1, counts * np.log2(found / np.maximum(found - 1, 1)), np.inf)
        able = min(over, int(np.sum(found > 1)))
        found[np.argsort(losses, kind="stable")[:able]] -= 1
    return found


def varints(numbers: Array) -> bytes:
    """Each number below 2**14 in one byte, or in two when it is 128 or more: seven low bits and a mark, then the rest."""
    return b"".join(bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7]) for n in numbers.tolist())
