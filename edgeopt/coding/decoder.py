"""A piece of coded bytes back to what it was: a function that numba compiles for this process, and LLVM for every target.

It allocates nothing, reads nothing beyond the piece and writes nothing beyond its room, whatever the piece holds. A piece is

    rotated (1 byte: 32-bit words were rotated left by a bit, which joins the bits of an exponent), number of streams (1)
    for each stream: kind (1), width of an element (1), count (4), first byte of the room (4), bytes to the next (4), stored (4)
    what the streams store, one after the other

A stream puts ``count`` elements into the room: bytes as they are (RAW); elements of a dictionary by entropy-coded symbols
(CODED); or it moves values that lie from ``first`` to the end of the room to their places (GAPS): a symbol stands for the number
of zeros before the next value, or for ESCAPE zeros and no value. CODED and GAPS store the number of symbols less one, the
elements (CODED) or bytes (GAPS) they stand for, and what ``encode_symbols`` made: symbol after symbol in one stream of bits, or,
of many symbols, four by four in two streams, which a processor reads side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.coding.states import decoding
from edgeopt.coding.words import (
    called,
    load_8,
    load_16,
    load_32,
    load_64,
    load_word,
    store_8,
    store_16,
    store_32,
    store_64,
    store_word,
)

RAW, CODED, GAPS = 0, 1, 2
HEAD, STREAM_HEAD = 2, 18
TABLE, COUNTERS, BATCH = 8192, 256, 1024  # 32-bit words of the table, of the counters behind it; bytes of a batch of symbols
LARGEST_LOG = 13  # of the states in a table
TWO = 128  # added to the log where symbols lie in two streams
STATES, PLACES = TABLE, TABLE + 8  # where the states wait between batches, and how far each stream is read
ESCAPE = 255


@called
def unpack(
    file: Any, begin: int, size: int, memory: Any, base: int, space: int, table: Any, batch: Any, status: Any
) -> None:  # fmt: skip
    """Decode the ``size`` bytes of ``file`` from ``begin`` on into all ``space`` bytes of ``memory`` from ``base`` on.

    ``status[0]`` becomes 0 for a piece that is sound, else 1.

    ``table`` uint32 [TABLE + COUNTERS] and ``batch`` uint8 [BATCH] are memory to work in.
    """
    status[0] = 1
    streams = load_8(file, begin + 1) if size >= HEAD else 256
    at, limit, sound = begin + HEAD + streams * STREAM_HEAD, begin + size, True
    if at > limit:
        return
    for stream in range(streams):
        head = begin + HEAD + stream * STREAM_HEAD
        kind, width, count = load_8(file, head), load_8(file, head + 1), load_32(file, head + 2)
        first, step, end = load_32(file, head + 6), load_32(file, head + 10), at + load_32(file, head + 14)
        fits = first <= space and (count == 0 or kind == GAPS or first + (count - 1) * step + width <= space)
        if end > limit or not fits or (width != 1 and width != 2 and width != 4 and width != 8):
            return
        if kind == RAW:
            sound = _copy(file, at, end, memory, base + first, step, width, count)
        else:
            sound = kind <= GAPS and _coded(file, at, end, memory, base, space, kind, width, count, first, step, table, batch)
        if not sound:
            return
        at = end
    if load_8(file, begin):
        _rotate_back(memory, base, space)
    status[0] = 0


@called
def _copy(piece: Any, at: int, end: int, room: Any, first: int, step: int, width: int, count: int) -> bool:
    sound = width == 1 and at + count <= end
    if sound and step == 1:
        for k in range(count):
            store_8(room, first + k, load_8(piece, at + k))
    elif sound:
        for k in range(count):
            store_8(room, first + k * step, load_8(piece, at + k))
    return sound


@called
def _rotate_back(room: Any, base: int, space: int) -> None:
    for k in range(space >> 2):
        word = load_32(room, base + 4 * k)
        store_32(room, base + 4 * k, word >> 1 | (word & 1) << 31)


@called
def _coded(
    piece: Any, at: int, end: int, room: Any, base: int, space: int, kind: int, width: int, count: int, first: int, step: int,
    table: Any, batch: Any,
) -> bool:  # fmt: skip
    """Read the model and then batch after batch of symbols; what they stand for goes to its places."""
    symbols = load_8(piece, at) + 1 if at < end else 256
    wide = width if kind == CODED else 1
    words, known = at + 1, at + 1 + symbols * wide
    mark = load_8(piece, known) if known < end else 255
    log, lanes = mark & (TWO - 1), 8 if mark >= TWO else 4
    bit = _model(piece, known + 1, end, symbols, log, table)
    sound = bit >= 0
    if sound and wide == 1:
        _name(table, log, piece, words)
    if sound:
        sound = _begin(piece, bit, end, log, lanes, table)
    done, place, value = 0, np.int64(0), first
    while sound and done < count:
        part = min(BATCH, count - done)
        k = _by_eight(piece, bit, end, table, batch, part) if lanes == 8 else _by_four(piece, bit, end, table, batch, part)
        while k < part:
            _one(piece, bit, end, table, batch, k, k & (lanes - 1))
            k += 1
        if kind == CODED:
            _look_up(batch, part, piece, words, room, base + first + done * step, step, width)
        else:
            for k in range(part):
                gap = np.int64(batch[k])
                if (place + gap) * width > value or (gap < ESCAPE and value + width > space):
                    sound = False
                    break
                _clear(room, base + place * width, base + (place + gap) * width)
                place += gap
                if gap < ESCAPE:
                    store_word(room, base + place * width, load_word(room, base + value, width), width)
                    place += 1
                    value += width
        done += part
    if sound and kind == GAPS:
        sound = value == space
        _clear(room, base + place * width, base + space)
    ended: bool = sound and _finished(bit, end, lanes, table)
    return ended


@called
def _begin(piece: Any, bit: int, end: int, log: int, lanes: int, table: Any) -> bool:
    """Read the states that each stream begins with; places are counted in bits from ``bit`` on, where the first one lies."""
    second = 0
    if lanes == 8:
        for k in range(4):
            second |= (load_8(piece, (bit >> 3) + k) if (bit >> 3) + k < end else 255) << (8 * k)
        second = 32 + 8 * second
    if bit + second > 8 * end:
        return False
    for lane in range(lanes):
        at = (second if lane >= 4 else 32 if lanes == 8 else 0) + (lane & 3) * log
        table[STATES + lane] = _bits(piece, bit + at, end, log)
        table[PLACES + (lane >> 2)] = at + log
    return True


@called
def _finished(bit: int, end: int, lanes: int, table: Any) -> bool:
    """Whether every state is back where a coder begins, and no stream was read beyond the end."""
    for lane in range(lanes):
        if table[STATES + lane] != 0:
            return False
    return not bit + np.int64(table[PLACES + (lanes >> 3)]) > 8 * end


@called
def _by_four(piece: Any, origin: int, end: int, table: Any, batch: Any, count: int) -> int:
    """Decode fours of symbols of one stream while whole words can be read; returns how many."""
    a, b, c, d = np.int64(table[STATES]), np.int64(table[STATES + 1]), np.int64(table[STATES + 2]), np.int64(table[STATES + 3])
    bit, k = origin + np.int64(table[PLACES]), 0
    while k + 4 <= count and (bit >> 3) + 8 <= end:
        word = load_64(piece, bit >> 3) >> (bit & 7)
        e, f, g, h = load_32(table, a), load_32(table, b), load_32(table, c), load_32(table, d)
        store_8(batch, k, e)
        store_8(batch, k + 1, f)
        store_8(batch, k + 2, g)
        store_8(batch, k + 3, h)
        i, j, m, n = e >> 8 & 15, f >> 8 & 15, g >> 8 & 15, h >> 8 & 15
        a = (e >> 16) + (word & ((1 << i) - 1))
        b = (f >> 16) + (word >> i & ((1 << j) - 1))
        c = (g >> 16) + (word >> (i + j) & ((1 << m) - 1))
        d = (h >> 16) + (word >> (i + j + m) & ((1 << n) - 1))
        bit += i + j + m + n
        k += 4
    table[STATES], table[STATES + 1], table[STATES + 2], table[STATES + 3] = a, b, c, d
    table[PLACES] = bit - origin
    return k


@called
def _by_eight(piece: Any, origin: int, end: int, table: Any, batch: Any, count: int) -> int:
    """Decode fours of symbols of two streams in turn while whole words can be read; returns how many symbols."""
    a, b, c, d = np.int64(table[STATES]), np.int64(table[STATES + 1]), np.int64(table[STATES + 2]), np.int64(table[STATES + 3])
    p, q, r, s = (
        np.int64(table[STATES + 4]),
        np.int64(table[STATES + 5]),
        np.int64(table[STATES + 6]),
        np.int64(table[STATES + 7]),
    )
    bit, other, k = origin + np.int64(table[PLACES]), origin + np.int64(table[PLACES + 1]), 0
    while k + 8 <= count and (bit >> 3) + 8 <= end and (other >> 3) + 8 <= end:
        word, next_ = load_64(piece, bit >> 3) >> (bit & 7), load_64(piece, other >> 3) >> (other & 7)
        e, f, g, h = load_32(table, a), load_32(table, b), load_32(table, c), load_32(table, d)
        t, u, v, w = load_32(table, p), load_32(table, q), load_32(table, r), load_32(table, s)
        store_8(batch, k, e)
        store_8(batch, k + 1, f)
        store_8(batch, k + 2, g)
        store_8(batch, k + 3, h)
        store_8(batch, k + 4, t)
        store_8(batch, k + 5, u)
        store_8(batch, k + 6, v)
        store_8(batch, k + 7, w)
        i, j, m, n = e >> 8 & 15, f >> 8 & 15, g >> 8 & 15, h >> 8 & 15
        a = (e >> 16) + (word & ((1 << i) - 1))
        b = (f >> 16) + (word >> i & ((1 << j) - 1))
        c = (g >> 16) + (word >> (i + j) & ((1 << m) - 1))
        d = (h >> 16) + (word >> (i + j + m) & ((1 << n) - 1))
        bit += i + j + m + n
        i, j, m, n = t >> 8 & 15, u >> 8 & 15, v >> 8 & 15, w >> 8 & 15
        p = (t >> 16) + (next_ & ((1 << i) - 1))
        q = (u >> 16) + (next_ >> i & ((1 << j) - 1))
        r = (v >> 16) + (next_ >> (i + j) & ((1 << m) - 1))
        s = (w >> 16) + (next_ >> (i + j + m) & ((1 << n) - 1))
        other += i + j + m + n
        k += 8
    table[STATES], table[STATES + 1], table[STATES + 2], table[STATES + 3] = a, b, c, d
    table[STATES + 4], table[STATES + 5], table[STATES + 6], table[STATES + 7] = p, q, r, s
    table[PLACES], table[PLACES + 1] = bit - origin, other - origin
    return k


@called
def _one(piece: Any, origin: int, end: int, table: Any, batch: Any, k: int, lane: int) -> None:
    """Decode symbol ``k`` of a batch by the state of its ``lane``."""
    entry = np.int64(table[np.int64(table[STATES + lane])])
    batch[k] = entry & 255
    bits, at = entry >> 8 & 15, np.int64(table[PLACES + (lane >> 2)])
    table[STATES + lane] = (entry >> 16) + _bits(piece, origin + at, end, bits)
    table[PLACES + (lane >> 2)] = at + bits


@called
def _look_up(batch: Any, count: int, piece: Any, words: int, room: Any, first: int, step: int, width: int) -> None:
    """Put what a batch of symbols stands for into the room; a loop for each width, which LLVM would not always make of one."""
    if width == 1 and step == 1:
        for k in range(count):
            store_8(room, first + k, load_8(batch, k))
    elif width == 1:
        for k in range(count):
            store_8(room, first + k * step, load_8(batch, k))
    elif width == 2:
        for k in range(count):
            store_16(room, first + k * step, load_16(piece, words + 2 * np.int64(batch[k])))
    elif width == 4:
        for k in range(count):
            store_32(room, first + k * step, load_32(piece, words + 4 * np.int64(batch[k])))
    else:
        for k in range(count):
            store_64(room, first + k * step, load_64(piece, words + 8 * np.int64(batch[k])))


@called
def _name(table: Any, log: int, piece: Any, words: int) -> None:
    """Put the byte that a symbol stands for in its place."""
    for state in range(1 << log):
        entry = np.int64(table[state])
        table[state] = entry - (entry & 255) + load_8(piece, words + (entry & 255))


@called
def _clear(room: Any, begin: int, end: int) -> None:
    for at in range(begin, end):
        room[at] = 0


@called
def _model(piece: Any, at: int, end: int, symbols: int, log: int, table: Any) -> int:
    """Make the table of a model; returns the first bit behind it, or -1 for a model that is none."""
    total, bit = 0, -1
    for symbol in range(symbols):
        share = load_8(piece, at) if at < end else 0
        at += 1
        if share >= 128:
            share = share - 128 + (load_8(piece, at) << 7 if at < end else 0)
            at += 1
        total += share if share > 0 else 2 * TABLE
        table[TABLE + symbol] = share
    if log <= LARGEST_LOG and total == 1 << log and at <= end:
        decoding(table, TABLE, symbols, log)
        bit = 8 * at
    return bit


@called
def _bits(piece: Any, bit: int, end: int, count: int) -> int:
    """The next ``count`` <= 13 bits; beyond ``end`` they are 0."""
    byte, word = bit >> 3, 0
    for k in range(3):
        word |= (load_8(piece, byte + k) if byte + k < end else 0) << (8 * k)
    return word >> (bit & 7) & ((1 << count) - 1)
