"""Symbols to bits: four interleaved states over one stream, written so that a decoder reads it forwards."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.coding.frequencies import Array, shares, varints
from edgeopt.coding.states import spread
from edgeopt.compiled import compiled

STREAMS = 4
_SPARE = 3  # bytes that a write may touch beyond the last bit


def encode_symbols(symbols: Array, counts: Array) -> bytes:
    """The bits of ``symbols``, uint8 numbers from 0 of which each occurs as often as ``counts`` says, at least once.

    A byte of log, the frequencies as varints, the four states that a decoder begins with, then symbol after symbol.
    """
    log, frequencies = shares(counts)
    bits, widths = np.empty(len(symbols), np.uint16), np.empty(len(symbols), np.uint8)
    states = np.zeros(STREAMS, np.int64)
    total = _walk(symbols, frequencies, log, states, bits, widths)
    size = -(-(total + STREAMS * log) // 8)
    made = np.zeros(size + _SPARE, np.uint8)
    _write(bits, widths, states, log, made)
    return bytes([log]) + varints(frequencies) + made[:size].tobytes()


@compiled
def _walk(symbols: Any, frequencies: Any, log: int, states: Any, bits: Any, widths: Any) -> Any:
    """From the last symbol to the first: the bits that each leaves, and their number; ``states`` end where a decoder begins."""
    size = 1 << log
    slots, table = np.empty(size, np.int64), np.empty(size, np.int64)
    first, most = np.zeros(len(frequencies), np.int64), np.zeros(len(frequencies), np.int64)
    spread(slots, frequencies, 0, len(frequencies), log)
    for symbol in range(1, len(frequencies)):
        first[symbol] = first[symbol - 1] + frequencies[symbol - 1]
    filled = first.copy()
    for state in range(size):
        table[filled[slots[state]]] = state
        filled[slots[state]] += 1
    for symbol in range(len(frequencies)):
        while frequencies[symbol] << most[symbol] < size:
            most[symbol] += 1
    total = np.int64(0)
    for at in range(len(symbols) - 1, -1, -1):
        number, state = symbols[at], states[at % STREAMS] + size
        width = most[number] if state >= frequencies[number] << most[number] else most[number] - 1
        bits[at], widths[at] = state & ((1 << width) - 1), width
        states[at % STREAMS] = table[first[number] + (state >> width) - frequencies[number]]
        total += width
    return total


@compiled
def _write(bits: Any, widths: Any, states: Any, log: int, made: Any) -> None:
    at = np.int64(0)
    for stream in range(STREAMS):
        _put(made, at, states[stream])
        at += log
    for symbol in range(len(bits)):
        _put(made, at, np.int64(bits[symbol]))
        at += np.int64(widths[symbol])


@compiled
def _put(made: Any, bit: int, value: int) -> None:
    """Add a number below 4096 at position ``bit``."""
    byte, word = bit >> 3, value << (bit & 7)
    made[byte] |= word & 255
    made[byte + 1] |= word >> 8 & 255
    made[byte + 2] |= word >> 16
