"""Maps of small integers as bits, by tables that coder and decoder were given before: short messages cannot pay for their own.

A symbol has a table for the group of its channel and for how large its neighbours to the left and above are. One tabled state
(``edgeopt.coding.states``) runs through the map; it begins the message, and where it ends tells damage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edgeopt.coding.frequencies import Array, rounded
from edgeopt.coding.states import decoding, spread
from edgeopt.coding.words import called
from edgeopt.compiled import compiled

LOG = 12
SIZE = 1 << LOG
LEVELS = 4  # of neighbours: all zero, one of them one, a little, more
MOST_SYMBOLS = 256
_SPARE = 3


@dataclass(frozen=True, eq=False)
class Tables:
    """``frequencies`` int64 [groups, LEVELS, symbols], each row 0 beyond the symbols of its group and SIZE in all.

    ``groups`` int64 [channels] is the group of each channel, ``zero`` int64 [groups] the symbol that stands for the number 0.
    """

    frequencies: Array
    groups: Array
    zero: Array

    @cached_property
    def _decoding(self) -> Array:
        """uint32 [groups * LEVELS, SIZE], what ``decoding`` makes of each row."""
        rows = self.frequencies.reshape(-1, self.frequencies.shape[2])
        work = np.zeros((len(rows), SIZE + MOST_SYMBOLS), np.uint32)
        work[:, SIZE : SIZE + rows.shape[1]] = rows
        _prepare(work, np.count_nonzero(rows, axis=1))
        return np.ascontiguousarray(work[:, :SIZE])

    @cached_property
    def _encoding(self) -> tuple[Array, Array, Array, Array]:
        """Frequencies, states, where those of each symbol begin, the most bits one leaves; each by its row."""
        rows = np.ascontiguousarray(self.frequencies.reshape(-1, self.frequencies.shape[2]))
        made = rows, np.empty((len(rows), SIZE), np.int64), np.zeros(rows.shape, np.int64), np.zeros(rows.shape, np.int64)
        _prepare_encoding(*made)
        return made

    def encode(self, symbols: Array) -> bytes:
        """The bits of ``symbols``, uint8 [channels, rows, columns], each one of its group."""
        contexts = np.empty(symbols.shape, np.int64)
        _contexts(symbols, self.groups, self.zero, contexts)
        bits, widths = np.empty(symbols.size, np.uint16), np.empty(symbols.size, np.uint8)
        state, total = _walk(symbols.reshape(-1), contexts.reshape(-1), *self._encoding, bits, widths)
        made = np.zeros(-(-(total + LOG) // 8) + _SPARE, np.uint8)
        _write(bits, widths, state, made)
        return made[: len(made) - _SPARE].tobytes()

    def decode(self, data: bytes | memoryview, shape: tuple[int, int, int]) -> Array | None:
        """The symbols that ``encode`` made ``data`` of; None for data that is damaged. Reads nothing beyond it."""
        symbols = np.empty(shape, np.uint8)
        padded = np.zeros(len(data) + _SPARE, np.uint8)
        padded[: len(data)] = np.frombuffer(data, np.uint8)
        sound = _read(padded, 8 * len(data), self._decoding, self.groups, self.zero, symbols)
        return symbols if sound else None


def fitted(maps: Sequence[Array], groups: Array, zero: Array, counts: Array) -> Tables:
    """Tables for maps like these, uint8 [channels, rows, columns] each; group g has the symbols 0 to ``counts[g]`` - 1.

    A symbol that did not occur has the smallest frequency, so that everything can be coded.
    """
    seen = np.zeros((len(counts), LEVELS, int(counts.max())), np.int64)
    for symbols in maps:
        contexts = np.empty(symbols.shape, np.int64)
        _contexts(symbols, groups, zero, contexts)
        np.add.at(seen.reshape(-1, seen.shape[2]), (contexts.reshape(-1), symbols.reshape(-1).astype(np.int64)), 1)
    found = np.zeros_like(seen)
    for group, count in enumerate(counts):
        for level in range(LEVELS):
            prior = seen[group, :, :count].sum(axis=0) / max(1, seen[group].sum())
            found[group, level, :count] = rounded(seen[group, level, :count] + prior + 1e-3, LOG)
    return Tables(found, groups, zero)


@called
def _context(symbols: Any, channel: int, row: int, column: int, group: int, zero: int) -> Any:
    """The table for a symbol, by those before it."""
    near: Any = 0
    if column > 0:
        near += abs(np.int64(symbols[channel, row, column - 1]) - zero)
    if row > 0:
        near += abs(np.int64(symbols[channel, row - 1, column]) - zero)
    level = near if near < 2 else (2 if near < 4 else 3)
    return group * 4 + level


@compiled
def _contexts(symbols: Any, groups: Any, zero: Any, contexts: Any) -> None:
    for channel in range(symbols.shape[0]):
        group = groups[channel]
        for row in range(symbols.shape[1]):
            for column in range(symbols.shape[2]):
                contexts[channel, row, column] = _context(symbols, channel, row, column, group, zero[group])


@compiled
def _prepare(work: Any, counts: Any) -> None:
    for row in range(len(work)):
        decoding(work[row], SIZE, counts[row], LOG)


@compiled
def _prepare_encoding(rows: Any, tables: Any, first: Any, most: Any) -> None:
    for row in range(len(rows)):
        _encoding(rows[row], tables[row], first[row], most[row])


@compiled
def _walk(symbols: Any, contexts: Any, rows: Any, tables: Any, first: Any, most: Any, bits: Any, widths: Any) -> Any:
    """From the last symbol to the first: the bits that each leaves, the state a decoder begins with, and the number of bits."""
    state, total = np.int64(0), np.int64(0)
    for at in range(len(symbols) - 1, -1, -1):
        row, number, inner = contexts[at], np.int64(symbols[at]), state + SIZE
        width = most[row, number] if inner >= rows[row, number] << most[row, number] else most[row, number] - 1
        bits[at], widths[at] = state & ((1 << width) - 1), width
        state = tables[row, first[row, number] + (inner >> width) - rows[row, number]]
        total += width
    return state, total


@called
def _encoding(frequencies: Any, table: Any, first: Any, most: Any) -> None:
    """The state of each occurrence of each symbol, where those of a symbol begin, and the most bits that one leaves."""
    slots, symbols = np.empty(SIZE, np.int64), 0
    while symbols < len(frequencies) and frequencies[symbols] > 0:
        symbols += 1
    spread(slots, frequencies, 0, symbols, LOG)
    for symbol in range(1, symbols):
        first[symbol] = first[symbol - 1] + frequencies[symbol - 1]
    filled = first.copy()
    for state in range(SIZE):
        table[filled[slots[state]]] = state
        filled[slots[state]] += 1
    for symbol in range(symbols):
        while frequencies[symbol] << most[symbol] < SIZE:
            most[symbol] += 1


@compiled
def _write(bits: Any, widths: Any, state: int, made: Any) -> None:
    _put(made, 0, state)
    at = np.int64(LOG)
    for symbol in range(len(bits)):
        _put(made, at, np.int64(bits[symbol]))
        at += np.int64(widths[symbol])


@called
def _put(made: Any, bit: int, value: int) -> None:
    """Add a number below 4096 at position ``bit``."""
    byte, word = bit >> 3, value << (bit & 7)
    made[byte] |= word & 255
    made[byte + 1] |= word >> 8 & 255
    made[byte + 2] |= word >> 16


@called
def _get(data: Any, bit: int, width: int) -> Any:
    """The ``width`` bits, at most 12, from position ``bit`` on."""
    byte = bit >> 3
    word = np.int64(data[byte]) | np.int64(data[byte + 1]) << 8 | np.int64(data[byte + 2]) << 16
    return word >> (bit & 7) & ((1 << width) - 1)


@compiled
def _read(data: Any, size: int, tables: Any, groups: Any, zero: Any, symbols: Any) -> bool:
    """Decode into ``symbols``; False unless exactly the ``size`` bits are used and the state ends where a coder begins."""
    if size < LOG:
        return False
    state, at = _get(data, 0, LOG), np.int64(LOG)
    for channel in range(symbols.shape[0]):
        group = groups[channel]
        for row in range(symbols.shape[1]):
            for column in range(symbols.shape[2]):
                entry = np.int64(tables[_context(symbols, channel, row, column, group, zero[group]), state])
                width = entry >> 8 & 255
                if at + width > size:
                    return False
                symbols[channel, row, column] = entry & 255
                state = (entry >> 16) + _get(data, at, width)
                at += width
    return bool(state == 0 and size - at < 8)
