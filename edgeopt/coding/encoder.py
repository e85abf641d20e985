"""Symbols to bits: four interleaved states over each of one or two streams, written so that a decoder reads them forwards."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.coding.decoder import TWO
from edgeopt.coding.frequencies import Array, shares, varints
from edgeopt.coding.states import spread
from edgeopt.compiled import compiled

STATES = 4  # of a stream
MANY = 1 << 13  # symbols from which two streams are worth their ten bytes
_SPARE = 3  # bytes that a write may touch beyond the last bit


def encode_symbols(symbols: Array, counts: Array) -> bytes:
    """The bits of ``symbols``, uint8 numbers from 0 of which each occurs as often as ``counts`` says, at least once.

    A byte of log, the frequencies as varints, the four states that a decoder begins with, then symbol after symbol. Of ``MANY``
    symbols every second four lie in a stream of their own: the log is marked, and the bytes of the first stream come before it.
    """
    log, frequencies = shares(counts)
    bits, widths, streams = np.empty(len(symbols), np.uint16), np.empty(len(symbols), np.uint8), 1 + (len(symbols) >= MANY)
    states, totals = np.zeros(STATES * streams, np.int64), np.zeros(streams, np.int64)
    _walk(symbols, frequencies, log, states, bits, widths, totals)
    parts = []
    for stream in range(streams):
        size = -(-(int(totals[stream]) + STATES * log) // 8)
        made = np.zeros(size + _SPARE, np.uint8)
        _write(bits, widths, states, log, made, stream, streams)
        parts.append(made[:size].tobytes())
    first = len(parts[0]).to_bytes(4, "little") if streams == 2 else b""
    return b"".join([bytes([log + TWO * (streams - 1)]), varints(frequencies), first, *parts])


def prepare() -> str:
    """Have the loops of the encoder compiled and kept, so that whoever encodes next finds them."""
    encode_symbols(np.zeros(4, np.uint8), np.full(1, 4))
    return ""


@compiled
def _walk(symbols: Any, frequencies: Any, log: int, states: Any, bits: Any, widths: Any, totals: Any) -> None:
    """From the last symbol to the first: the bits that each leaves, and their number in each stream; ``states`` end where a

    decoder begins.
    """
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
    for at in range(len(symbols) - 1, -1, -1):
        lane = at % len(states)
        number, state = symbols[at], states[lane] + size
        width = most[number] if state >= frequencies[number] << most[number] else most[number] - 1
        bits[at], widths[at] = state & ((1 << width) - 1), width
        states[lane] = table[first[number] + (state >> width) - frequencies[number]]
        totals[lane // STATES] += width


@compiled
def _write(bits: Any, widths: Any, states: Any, log: int, made: Any, stream: int, streams: int) -> None:
    at = np.int64(0)
    for lane in range(STATES * stream, STATES * (stream + 1)):
        _put(made, at, states[lane])
        at += log
    for first in range(STATES * stream, len(bits), STATES * streams):
        for symbol in range(first, min(first + STATES, len(bits))):
            _put(made, at, np.int64(bits[symbol]))
            at += np.int64(widths[symbol])


@compiled
def _put(made: Any, bit: int, value: int) -> None:
    """Add a number below 2**LARGEST_LOG at position ``bit``."""
    byte, word = bit >> 3, value << (bit & 7)
    made[byte] |= word & 255
    made[byte + 1] |= word >> 8 & 255
    made[byte + 2] |= word >> 16
