"""A file of coded weights back to the block that kernels read: for this process and, as LLVM IR, for every target.

    magic, version (4 bytes each), number of entries (8)
    for each entry eight numbers of 8 bytes, then what the entries store

An entry is a piece (``kind``, first byte and size in the file, first byte and room in memory; see ``edgeopt.coding.decoder``) for
the weights, for memory to work in, or KEPT, which is for readers of the file only; or it transforms the weights of a convolution
that the pieces before it put into that memory (kind, m, outputs, first byte and room in the weights, inputs, width, depth; see
``edgeopt.coding.winograd``). Entries may be carried out in parts, which begin behind an entry that writes weights.
"""

from __future__ import annotations

from typing import Any

from edgeopt.coding.decoder import unpack
from edgeopt.coding.winograd import TAPS, transform
from edgeopt.coding.words import called, load_64

WEIGHTS, WORK, KEPT, WINOGRAD = 0, 1, 2, 3
MAGIC, VERSION = b"EDGW", 2
HEAD, ENTRY = 16, 64


@called
def restore(
    file: Any, size: int, weights: Any, space: int, work: Any, work_space: int, first: int, last: int, table: Any, batch: Any,
    status: Any,
) -> None:  # fmt: skip
    """Carry out the entries from ``first`` to ``last`` of ``file`` [size]; ``status[0]`` is 0 when all were sound, else 1.

    ``weights`` [space] and ``work`` [work_space] are bytes; ``table`` and ``batch`` are as for ``unpack``. Nothing is read or
    written beyond them, whatever the file holds.
    """
    status[0] = 1
    if first < 0 or size < HEAD or last > (size - HEAD) // ENTRY:
        return
    status[0] = 0
    for number in range(first, last):
        entry = HEAD + number * ENTRY
        kind, at, count = load_64(file, entry), load_64(file, entry + 8), load_64(file, entry + 16)
        to, room = load_64(file, entry + 24), load_64(file, entry + 32)
        status[0] = 1
        if kind == KEPT:
            status[0] = 0
        elif kind == WINOGRAD:
            inputs, width, depth = load_64(file, entry + 40), load_64(file, entry + 48), load_64(file, entry + 56)
            if _fits(at, count, to, room, inputs, width, depth, space, work_space):
                tiles = room // (4 * (at + 2) * (at + 2) * width * depth)
                for k in range(room):
                    weights[to + k] = 0
                transform(work, weights, to, at, count, inputs, tiles, width, depth)
                status[0] = 0
        elif kind >= 0 and 0 <= at <= size and 0 <= count <= size - at and to >= 0 and room >= 0:
            memory, most = (weights, space) if kind == WEIGHTS else (work, work_space)
            if kind <= WORK and to <= most and room <= most - to:
                unpack(file, at, count, memory, to, room, table, batch, status)
        if status[0]:
            return


@called
def _fits(
    m: int, outputs: int, to: int, room: int, inputs: int, width: int, depth: int, space: int, work_space: int
) -> bool:  # fmt: skip
    """Whether a transform reads and writes inside its memory; every number is bounded before it is multiplied."""
    few = 1 << 20
    sound = (m == 2 or m == 4) and 0 < outputs < few and 0 < inputs < few and 0 < width < few and inputs <= depth < few
    sound = sound and 0 <= to <= space and 0 <= room <= space - to and outputs * inputs * TAPS * 4 <= work_space
    if sound:
        panel = 4 * (m + 2) * (m + 2) * width * depth
        sound = panel <= room and (outputs - 1) // width < room // panel
    return sound
