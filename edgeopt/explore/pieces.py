"""Files in pieces, of which each is stored once: what variants of a network have in common are tensors of their weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

from edgeopt.coding.block import entries_of
from edgeopt.coding.restore import WINOGRAD
from edgeopt.lower.memory import aligned

LEAST = 64  # bytes of a piece that is worth a place of its own
Places = list[list[int]]  # [offset, size] of pieces in a row


def cuts(file: bytes | memoryview) -> list[int]:
    """Where the tensors of a file of coded weights begin and end."""
    tensors = [entry for entry in entries_of(file) if entry[0] != WINOGRAD]
    ends = {end for _, at, size, *_ in tensors if size >= LEAST for end in (int(at), int(at + size))}
    return sorted(end for end in ends if 0 < end < len(file))


class Pieces:
    """Pieces that were added, one after the other."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self._parts: list[bytes] = []
        self.size = 0

    def add(self, file: bytes | memoryview, at: Sequence[int] = ()) -> Places:
        """The places of a file, which is cut ``at`` rising offsets; pieces that are there already are not stored again."""
        places: Places = []
        for first, last in pairwise([0, *at, len(file)]):
            place, size = self._place(bytes(file[first:last])), last - first
            if places and sum(places[-1]) == place:
                places[-1][1] += size
            elif size:
                places.append([place, size])
        return places

    def _place(self, piece: bytes) -> int:
        key = hashlib.sha256(piece).digest()
        if key not in self._known:
            self._known[key] = self.size
            self._parts.append(piece)
            self.size += len(piece)
        return self._known[key]

    def content(self) -> bytes:
        """All of them."""
        return b"".join(self._parts)


def joined(content: bytes | memoryview, places: Places) -> memoryview:
    """The file whose pieces lie at ``places``. Raises ValueError for one beyond the content."""
    made, at = aligned(sum(size for _, size in places)), 0
    for offset, size in places:
        made[at : at + size] = content[offset : offset + size]
        at += size
    return made
