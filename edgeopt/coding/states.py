"""Tabled asymmetric numeral systems: the table of states that coder and decoder share.

Duda, Asymmetric numeral systems, 2013 (arXiv 1311.2540). A state is one of 2**log slots; a symbol owns as many slots as its
frequency says, spread evenly by reversing the bits of their number. The k-th slot of a symbol of frequency f stands for the
state f + k of a smaller system, into which the next bits of the stream are shifted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.coding.words import called


@called
def spread(table: Any, frequencies: Any, base: int, symbols: int, log: int) -> None:
    """Fill the 2**log slots of ``table`` with the symbols, whose frequencies begin at ``frequencies[base]`` and sum to that."""
    slot = 0
    for symbol in range(symbols):
        for _ in range(np.int64(frequencies[base + symbol])):
            table[slot] = symbol
            mask = (1 << log) >> 1
            while slot & mask:
                slot ^= mask
                mask >>= 1
            slot |= mask


@called
def decoding(table: Any, base: int, symbols: int, log: int) -> None:
    """Make each slot of ``table`` ``start << 16 | bits << 8 | symbol``: the next state is start plus the next bits.

    The frequencies lie at ``table[base]`` and are counted up to twice their values.
    """
    spread(table, table, base, symbols, log)
    size = 1 << log
    for state in range(size):
        symbol = np.int64(table[state])
        inner, bits = np.int64(table[base + symbol]), 0
        table[base + symbol] = inner + 1
        while inner << bits < size:
            bits += 1
        table[state] = ((inner << bits) - size) << 16 | bits << 8 | symbol
