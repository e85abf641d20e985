"""How a piece of a tensor is stored: the coding that takes the fewest bytes, or none where little would be gained."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.coding.decoder import CODED, ESCAPE, GAPS, HEAD, RAW, STREAM_HEAD
from edgeopt.coding.encoder import encode_symbols
from edgeopt.coding.frequencies import Array, entropy_bits

MOST_SYMBOLS = 256
GAIN = 0.03  # of a piece or plane, below which decoding is not worth its time
_SAMPLE = 2048


@dataclass(frozen=True)
class Stream:
    """``stored`` bytes that become ``count`` elements of ``width`` bytes at ``first``, ``first + step``, ... of a piece."""

    kind: int
    width: int
    count: int
    first: int
    step: int
    stored: bytes


@dataclass(frozen=True)
class Piece:
    """A piece as its streams, and the name of the coding: raw, symbols, planes, or sparse with one of these."""

    coding: str
    streams: tuple[Stream, ...]
    rotated: bool = False

    def to_bytes(self) -> bytes:
        """As ``edgeopt.coding.decoder`` reads it."""
        heads = [struct.pack("<BBIIII", s.kind, s.width, s.count, s.first, s.step, len(s.stored)) for s in self.streams]
        return b"".join([bytes([self.rotated, len(self.streams)]), *heads, *(s.stored for s in self.streams)])

    def __len__(self) -> int:
        return HEAD + sum(STREAM_HEAD + len(stream.stored) for stream in self.streams)


def coded_piece(data: Array, width: int) -> Piece:
    """The smallest of all codings for ``data``, bytes (uint8) of elements of ``width`` 1, 2, 4 or 8."""
    words = data.view(f"<u{width}")
    filled = np.flatnonzero(words)
    dense = _dense(words, 0)
    if len(filled) == 0 or 2 * len(filled) >= len(words):
        return dense
    return min(dense, _sparse(words, filled), key=len)


def _sparse(words: Array, filled: Array) -> Piece:
    """Values at the end of the room, then the gaps that move them to their places."""
    first = words.nbytes - len(filled) * words.itemsize
    values = _dense(words[filled], first)
    gaps = np.diff(filled, prepend=-1) - 1
    ends = np.cumsum(gaps // ESCAPE + 1)
    symbols = np.full(ends[-1], ESCAPE, np.uint8)
    symbols[ends - 1] = gaps % ESCAPE
    model = Symbols.of(symbols)
    assert model is not None
    moved = Stream(GAPS, words.itemsize, len(symbols), first, 0, model.stored())
    return replace(values, coding=f"sparse {values.coding}", streams=(*values.streams, moved))


def _dense(words: Array, first: int) -> Piece:
    """Symbols, byte planes or raw bytes, whichever are estimated to be smallest."""
    size, width = words.nbytes, words.itemsize
    plain = Piece("raw", (Stream(RAW, 1, size, first, 1, words.tobytes()),) if size else ())
    model, coded = Symbols.of(words), plain
    if model is not None and model.estimate < (1 - GAIN) * size:
        coded = Piece("symbols", (Stream(CODED, width, len(words), first, width, model.stored()),))
    elif width > 1:
        coded = _planes(words, first)
    return min(plain, coded, key=len)


def _planes(words: Array, first: int) -> Piece:
    """Each byte of the elements by itself, coded where that gains; 32-bit words rotated first where exponents gain."""
    sample = words[:: max(1, len(words) // _SAMPLE)].copy()
    rotated = words.itemsize == 4 and _plane_bits(_rotated(sample)) < _plane_bits(sample)
    words = _rotated(words) if rotated else words
    streams = [_plane(plane, first + k, words.itemsize) for k, plane in enumerate(_bytes_of(words))]
    return Piece("planes", tuple(streams), rotated)


def _plane(plane: Array, first: int, step: int) -> Stream:
    sample = plane[:: max(1, len(plane) // _SAMPLE)]
    noise = entropy_bits(np.bincount(sample)) > 8 * (1 - GAIN) * len(sample)  # counting all of it would say the same
    model = None if noise else Symbols.of(plane)
    if model is None or model.estimate > (1 - GAIN) * len(plane):
        return Stream(RAW, 1, len(plane), first, step, plane.tobytes())
    return Stream(CODED, 1, len(plane), first, step, model.stored())


def _plane_bits(words: Array) -> float:
    return sum(entropy_bits(np.bincount(plane)) for plane in _bytes_of(words))


def _bytes_of(words: Array) -> Array:
    return words.view(np.uint8).reshape(-1, words.itemsize).T


def _rotated(words: Array) -> Array:
    return words << np.uint32(1) | words >> np.uint32(31)


@dataclass(frozen=True)
class Symbols:
    """Elements as numbers of the few ``known`` ones, each of which occurs."""

    known: Array
    numbers: Array
    counts: Array

    @property
    def estimate(self) -> float:
        """Bytes that they take, without coding them."""
        return entropy_bits(self.counts) / 8 + 2.0 * len(self.known) + self.known.nbytes

    def stored(self) -> bytes:
        """Their number less one, the known elements, the coded numbers."""
        return bytes([len(self.known) - 1]) + self.known.tobytes() + encode_symbols(self.numbers, self.counts)

    @staticmethod
    def of(words: Array) -> Symbols | None:
        """``words`` in symbols; None for more than MOST_SYMBOLS distinct ones, or for no words."""
        if words.itemsize == 1:
            return _of_bytes(words)
        known = np.unique(words[:: max(1, len(words) // _SAMPLE)])
        if not 0 < len(known) <= MOST_SYMBOLS:
            return None
        numbers = np.minimum(np.searchsorted(known, words), len(known) - 1)
        new = np.unique(words[known[numbers] != words])
        if len(known) + len(new) > MOST_SYMBOLS:
            return None
        if len(new):
            known = np.union1d(known, new)
            numbers = np.searchsorted(known, words)
        return Symbols(known, numbers.astype(np.uint8), np.bincount(numbers))


def _of_bytes(words: Array) -> Symbols | None:
    counts = np.bincount(words, minlength=256)
    known = np.flatnonzero(counts)
    numbers = (np.cumsum(counts > 0) - 1).astype(np.uint8)[words]
    return Symbols(known.astype(np.uint8), numbers, counts[known]) if len(words) else None
