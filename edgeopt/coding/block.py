"""The file of a model's weights: parts of the block that kernels read, each coded by its own statistics, and how it is read."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from edgeopt.children import in_order
from edgeopt.coding.container import PIECE, decode_piece, piece_of, working_memory
from edgeopt.coding.frequencies import Array
from edgeopt.coding.restore import ENTRY, HEAD, KEPT, MAGIC, VERSION, WEIGHTS, WINOGRAD, WORK, restore
from edgeopt.compiled import compiled
from edgeopt.errors import EdgeoptError

_ENTRY, _HEAD = struct.Struct("<8q"), struct.Struct("<4sIq")
_SHARE = 4 << 20  # bytes of memory from which another thread is worth it


@dataclass(frozen=True)
class Transform:
    """F(m, 3) of weights [outputs, inputs, 3, 3], into tiles of ``width`` outputs and ``depth`` inputs."""

    m: int
    outputs: int
    inputs: int
    width: int
    depth: int


@dataclass(frozen=True, eq=False)
class Later:
    """``size`` bytes that are made when they are written, so that those of all parts are never held together."""

    make: Callable[[], Array]
    size: int

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, eq=False)
class Part:
    """``data`` (uint8, elements of ``width`` bytes): the bytes of the weights from ``to`` on, or what a ``transform`` makes

    ``room`` of them from; ``to`` is None for what only readers of the file see.
    """

    data: Array | Later
    width: int
    to: int | None
    room: int = 0
    transform: Transform | None = None

    @property
    def kind(self) -> int:
        """The kind of its pieces."""
        return KEPT if self.to is None else WEIGHTS if self.transform is None else WORK


@dataclass(frozen=True)
class Stored:
    """How a part lies in a file: its first entry, bytes with those that describe it, the codings of its pieces."""

    entry: int
    bytes: int
    codings: tuple[str, ...]


def write(parts: Sequence[Part]) -> tuple[memoryview, list[Stored]]:
    """The file of ``parts``, and how each lies in it."""
    entries: list[list[int]] = []
    count = sum(-(-len(part.data) // PIECE) + (part.transform is not None and part.to is not None) for part in parts)
    file, stored = bytearray(HEAD + ENTRY * count), []
    coded = in_order(_pieces(parts)) if sum(len(part.data) for part in parts) > _SHARE else (task() for task in _pieces(parts))
    for part in parts:
        first, before, codings = len(entries), len(file), []
        base = part.to if part.to is not None and part.transform is None else 0
        for start, piece in zip(_starts(part), coded, strict=False):
            at = len(file)
            coding, content = piece
            file += content
            codings.append(coding)
            entries.append([part.kind, at, len(content), base + start, min(PIECE, len(part.data) - start), 0, 0, 0])
        if part.transform is not None and part.to is not None:
            t = part.transform
            entries.append([WINOGRAD, t.m, t.outputs, part.to, part.room, t.inputs, t.width, t.depth])
        size = len(file) - before + ENTRY * (len(entries) - first)
        stored.append(Stored(first, size, tuple(dict.fromkeys(codings))))
    file += bytes(-len(file) % 4)  # whole words, which a board sums up
    heads = [_HEAD.pack(MAGIC, VERSION, count), *(_ENTRY.pack(*entry) for entry in entries)]
    file[: HEAD + ENTRY * count] = b"".join(heads)
    return memoryview(file).toreadonly(), stored


def _pieces(parts: Iterable[Part]) -> list[Callable[[], tuple[str, bytes]]]:
    """What codes each piece: the name of the coding, and bytes."""
    coder = _Coder()
    return [partial(coder, part, start) for part in parts for start in _starts(part)]


class _Coder:
    """Codes pieces; the bytes of a part are held until those of another are needed."""

    def __init__(self) -> None:
        self._part: Part | None = None
        self._data: Array | None = None

    def __call__(self, part: Part, start: int) -> tuple[str, bytes]:
        if self._part is not part or self._data is None:
            self._data = None  # before others are made
            self._part, self._data = part, part.data.make() if isinstance(part.data, Later) else part.data
        piece = piece_of(self._data, part.width, start)
        return piece.coding, piece.to_bytes()


def _starts(part: Part) -> range:
    """The first byte of each of its pieces."""
    return range(0, len(part.data), PIECE)


def entries_of(file: bytes | memoryview) -> Array:
    """The entries of a file, int64 [entries, 8]. Raises EdgeoptError for a file of another kind or version, or cut off."""
    if len(file) < HEAD or bytes(file[:4]) != MAGIC:
        raise EdgeoptError("the weights are no file of coded weights, or cut off; compile the model again")
    _, version, count = _HEAD.unpack_from(file)
    if version != VERSION:
        raise EdgeoptError(f"the weights are coded in version {version}, this edgeopt reads {VERSION}; compile the model again")
    if not 0 <= count <= (len(file) - HEAD) // ENTRY:
        raise EdgeoptError("the file of weights is cut off; compile the model again")
    return np.frombuffer(file, "<i8", 8 * count, HEAD).reshape(count, 8)


def work_bytes(entries: Array) -> int:
    """Bytes of memory that transforms work in."""
    pieces = entries[entries[:, 0] == WORK]
    return int(np.max(pieces[:, 3] + pieces[:, 4], initial=0))


def filled_bytes(entries: Array) -> int:
    """Bytes up to the last that the entries fill."""
    loading = entries[(entries[:, 0] == WEIGHTS) | (entries[:, 0] == WINOGRAD)]
    return int(np.max(loading[:, 3] + loading[:, 4], initial=0))


def read(file: bytes | memoryview, weights: memoryview, threads: int | None = None) -> None:
    """Put the weights of ``file`` into ``weights``, on as many threads as pay. Raises EdgeoptError for a file that is damaged."""
    entries = entries_of(file)
    work = work_bytes(entries)
    if work > len(weights):
        raise EdgeoptError("the file of weights is damaged: it asks for more memory than it fills; compile the model again")
    most = threads or len(os.sched_getaffinity(0))
    bounds = _shares(entries, max(1, min(most, int(np.sum(entries[:, 4])) // _SHARE)))
    jobs = [(np.frombuffer(file, np.uint8), np.frombuffer(weights, np.uint8), work, *pair) for pair in pairwise(bounds)]
    if len(jobs) <= 1:
        sound = [_read(*job) for job in jobs]
    else:
        with ThreadPoolExecutor(len(jobs)) as pool:
            sound = list(pool.map(lambda job: _read(*job), jobs))
    if not all(sound):
        raise EdgeoptError("the file of weights is damaged; compile the model again")


def _shares(entries: Array, count: int) -> list[int]:
    """Bounds of about equal shares of the entries; none is between the pieces of a transform and the transform."""
    ends = np.flatnonzero(entries[:, 0] != WORK) + 1
    filled = np.cumsum(np.where(entries[:, 0] == KEPT, 0, entries[:, 4]))[ends - 1]
    wanted = [int(filled[-1]) * k // count for k in range(1, count)] if len(ends) else []
    return sorted({0, *(int(ends[np.searchsorted(filled, at)]) for at in wanted), len(entries)})


def _read(file: Array, weights: Array, work: int, first: int, last: int) -> bool:
    status = np.ones(1, np.int64)
    _restore(file, weights, np.empty(work, np.uint8), first, last, *working_memory(), status)
    return not status[0]


@compiled
def _restore(file: Any, weights: Any, work: Any, first: int, last: int, table: Any, batch: Any, status: Any) -> None:
    restore(file, len(file), weights, len(weights), work, len(work), first, last, table, batch, status)


def kept(file: bytes | memoryview, entry: int, size: int) -> Array:
    """The ``size`` bytes (uint8) whose pieces begin with an entry, as they were given. Raises EdgeoptError for damage."""
    made, entries, data = np.empty(size, np.uint8), entries_of(file), np.frombuffer(file, np.uint8)
    done = 0
    while done < size:
        at, count, room = (int(n) for n in entries[entry][[1, 2, 4]]) if entry < len(entries) else (-1, 0, 0)
        sound = 0 <= at <= at + count <= len(data) and 0 < room <= size - done
        if not sound or not decode_piece(data[at : at + count], made[done : done + room]):
            raise EdgeoptError("the file of weights is damaged; compile the model again")
        done, entry = done + room, entry + 1
    return made
