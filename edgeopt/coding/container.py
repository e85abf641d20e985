"""An array as bytes that say what they are: element type, shape, pieces that are decoded one by one, a checksum."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from edgeopt.coding.decoder import BATCH, COUNTERS, TABLE, unpack
from edgeopt.coding.frequencies import Array
from edgeopt.coding.piece import Piece, coded_piece
from edgeopt.compiled import compiled
from edgeopt.errors import EdgeoptError

PIECE = 1 << 21  # bytes of a tensor that are coded with one model, and decoded in one go
MAGIC, VERSION = b"EOC", 2
_HEAD = struct.Struct("<3sBIII")  # magic, version, bytes of the description, of which checksum, checksum of the content
_WIDTHS = (1, 2, 4, 8)


def encode(array: Array) -> bytes:
    """``array`` coded, without loss; ``decode`` undoes it. Raises EdgeoptError for elements that are Python objects."""
    if array.dtype.hasobject:
        raise EdgeoptError(f"an array of {array.dtype} cannot be coded: its elements lie in no memory")
    data = content(array)
    pieces = [piece.to_bytes() for piece in pieces_of(data, array.dtype.itemsize)]
    about = {"dtype": array.dtype.name, "shape": array.shape, "pieces": [len(piece) for piece in pieces]}
    description = json.dumps(about).encode()
    head = _HEAD.pack(MAGIC, VERSION, len(description), zlib.crc32(description), zlib.crc32(data.data))
    return b"".join([head, description, *pieces])


def coded_size(array: Array) -> int:
    """The bytes ``encode`` makes of ``array``. Raises EdgeoptError as it does."""
    return len(encode(array))


def decode(data: bytes | memoryview) -> Array:
    """The array that ``encode`` made ``data`` of. Raises EdgeoptError for data that is damaged, cut off or of another version."""
    if len(data) < _HEAD.size or bytes(data[:3]) != MAGIC:
        raise EdgeoptError("the data is no coded array, or is cut off")
    _, version, size, description_sum, content_sum = _HEAD.unpack_from(data)
    if version != VERSION:
        raise EdgeoptError(f"the coded array has version {version}, this edgeopt reads {VERSION}")
    description = bytes(data[_HEAD.size : _HEAD.size + size])
    if zlib.crc32(description) != description_sum:
        raise EdgeoptError("the coded array is damaged: its description differs from its checksum")
    about = json.loads(description)
    dtype, shape, sizes = np.dtype(about["dtype"]), about["shape"], about["pieces"]
    made = np.empty(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, np.uint8)
    if _HEAD.size + size + sum(sizes) != len(data) or -(-len(made) // PIECE) != len(sizes):
        raise EdgeoptError("the coded array is damaged: it has another size than it says")
    _decode_pieces(np.frombuffer(data, np.uint8)[_HEAD.size + size :], sizes, made)
    if zlib.crc32(made.data) != content_sum:
        raise EdgeoptError("the coded array is damaged: its content differs from its checksum")
    array: Array = made.view(dtype).reshape(shape)
    return array


def content(array: Array) -> Array:
    """The bytes of ``array`` in row-major order, as uint8."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8) if flat.size else np.empty(0, np.uint8)


def pieces_of(data: Array, width: int) -> Iterator[Piece]:
    """``data`` (uint8) of elements of ``width`` bytes in pieces of PIECE bytes, coded one after the other."""
    return (piece_of(data, width, start) for start in range(0, len(data), PIECE))


def piece_of(data: Array, width: int, start: int) -> Piece:
    """The piece of ``data`` from byte ``start`` on, coded; odd widths and odd ends are taken as bytes."""
    part = data[start : start + PIECE]
    return coded_piece(part, width if width in _WIDTHS and len(part) % width == 0 else 1)


def decode_piece(piece: Array, room: Array) -> bool:
    """Decode ``piece`` (uint8) into ``room`` (uint8, writable); False for a piece that is damaged."""
    status = np.ones(1, np.int64)
    _unpack(piece, room, *working_memory(), status)
    return not status[0]


def _decode_pieces(data: Array, sizes: list[int], made: Array) -> None:
    at = 0
    for number, size in enumerate(sizes):
        if not decode_piece(data[at : at + size], made[number * PIECE : (number + 1) * PIECE]):
            raise EdgeoptError(f"the coded array is damaged in its piece {number}")
        at += size


def working_memory() -> tuple[Array, Array]:
    """The table and the batch that a decoder works in."""
    return np.empty(TABLE + COUNTERS, np.uint32), np.empty(BATCH, np.uint8)


@compiled
def _unpack(piece: Any, room: Any, table: Any, batch: Any, status: Any) -> None:
    unpack(piece, 0, len(piece), room, 0, len(room), table, batch, status)
