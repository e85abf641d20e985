"""How a piece of a tensor is stored: the coding that takes the fewest bytes, or none where little would be gained."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.coding.decoder import CODED, ESCAPE, GAPS, HEAD, RAW, STREAM_HEAD
from edgeopt.coding.encoder import encode_symbols
from edgeopt.coding.frequencies import Array, entropy_bits

MOST_SYMBOLS = 256
GAIN = 0.03  # of a piece or plane, below which decoding is not worth its time
_SAMPLE = 2048
PARTS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48)  # of a piece that have symbols of their own, as tables of channels have
_NEW = 0.75  # of the known elements, above which the first of ``_LOOK`` parts has them all, about
_LOOK = 8
_AT_ONCE = 1 << 16


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
    filled, dense = np.count_nonzero(words), _dense(words, 0, None, len(words))
    if filled == 0 or 2 * filled >= len(words):
        return dense
    return min(dense, _sparse(words, np.flatnonzero(words)), key=len)


def _sparse(words: Array, filled: Array) -> Piece:
    """Values at the end of the room, then the gaps that move them to their places."""
    first = words.nbytes - len(filled) * words.itemsize
    values = _dense(words[filled], first, filled, len(words))
    gaps = np.diff(filled, prepend=-1) - 1
    ends = np.cumsum(gaps // ESCAPE + 1)
    symbols = np.full(ends[-1], ESCAPE, np.uint8)
    symbols[ends - 1] = gaps % ESCAPE
    model = Symbols.of(symbols)
    assert model is not None
    moved = Stream(GAPS, words.itemsize, len(symbols), first, 0, model.stored())
    return replace(values, coding=f"sparse {values.coding}", streams=(*values.streams, moved))


def _dense(words: Array, first: int, at: Array | None, room: int) -> Piece:
    """Symbols, byte planes or raw bytes, whichever seem smallest, for ``words`` that lie ``at`` rising places of the ``room``,

    or fill it.
    """
    size, width = words.nbytes, words.itemsize
    plain = Piece("raw", (Stream(RAW, 1, size, first, 1, words.tobytes()),) if size else ())
    models = _models(words, at, room)
    if models and sum(model.estimate for model in models) < (1 - GAIN) * size:
        return min(plain, _symbols(models, first, width), key=len)
    return min(plain, _planes(words, first), key=len) if width > 1 else plain


def _models(words: Array, at: Array | None, room: int) -> Sequence[Symbols]:
    """Symbols for all ``words`` or for those of equal parts of the room, whichever are smaller; none where neither has few."""
    model = Symbols.of(words)
    look = np.unique(words[: len(words) // _LOOK : 1 + len(words) // (_LOOK * _LOOK * _SAMPLE)])
    if words.itemsize == 1 or not 0 < len(look) <= (_NEW * len(model.known) if model else MOST_SYMBOLS) or _all_differ(words):
        return [model] if model else []
    tried = [[model]] if model else []
    for count in PARTS:
        shares = np.arange(1, count) * room / count
        bounds = np.ceil(shares).astype(np.int64) if at is None else np.searchsorted(at, shares)
        models = [Symbols.of(part) for part in np.split(words, bounds) if len(part)]
        found = [model for model in models if model is not None]
        tried += [found] if len(found) == len(models) else []
    return min(tried, key=lambda models: sum(m.estimate + STREAM_HEAD for m in models), default=[])


def _all_differ(words: Array) -> bool:
    """Whether no element of a small piece occurs twice: then symbols cost more than the elements, however it is parted."""
    return len(words) <= _SAMPLE and len(np.unique(words)) == len(words)


def _symbols(models: Sequence[Symbols], first: int, width: int) -> Piece:
    """A stream for each of ``models``, whose elements of ``width`` bytes follow each other."""
    starts = first + width * np.cumsum([0, *(len(model.numbers) for model in models[:-1])])
    streams = [
        Stream(CODED, width, len(m.numbers), int(start), width, m.stored()) for m, start in zip(models, starts, strict=True)
    ]
    return Piece("symbols", tuple(streams))


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
    """As ``of``, of bytes, a few at a time: numpy makes eight of each that it counts by or looks up."""
    pieces = [words[at : at + _AT_ONCE] for at in range(0, len(words), _AT_ONCE)]
    if not pieces:
        return None
    counts = np.sum([np.bincount(piece, minlength=256) for piece in pieces], axis=0)
    known = np.flatnonzero(counts)
    table = (np.cumsum(counts > 0) - 1).astype(np.uint8)
    return Symbols(known.astype(np.uint8), np.concatenate([table[piece] for piece in pieces]), counts[known])
