"""Coded tensors on the wire: a version, the code that made them, a checksum; nothing of a message is believed.

"EB", version (1 byte), 0, samples (4), digest of the code (4), checksum of all that follows (4), bytes of each sample
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

import numpy as np

from edgeopt.ir import Array
from edgeopt.partition.codes.code import BoundaryCode
from edgeopt.serve.tensors import WireError

MAGIC, VERSION = b"EB", 1
MOST_SAMPLES = 64
_HEAD, _LENGTH = struct.Struct("<2sBBIII"), struct.Struct("<I")
OVERHEAD = _HEAD.size + _LENGTH.size  # bytes of a message of one sample besides its content


class CodeError(WireError):
    """A message that no tensor can be made of."""


def most(code: BoundaryCode) -> int:
    """The most bytes that a message can have."""
    return _HEAD.size + MOST_SAMPLES * (_LENGTH.size + code.most)


def pack(code: BoundaryCode, digest: int, array: Array) -> Array:
    """``array`` [samples, ...] as a uint8 vector. Raises CodeError for more samples than a message may have."""
    if len(array) > MOST_SAMPLES:
        raise CodeError(f"{len(array)} samples are too many for one message; send {MOST_SAMPLES} at a time")
    contents = [code.encode(sample[None]) for sample in array]
    body = b"".join([*(_LENGTH.pack(len(c)) for c in contents), *contents])
    head = _HEAD.pack(MAGIC, VERSION, 0, len(contents), digest, zlib.crc32(body))
    return np.frombuffer(head + body, np.uint8)


def unpack(code: BoundaryCode, digest: int, message: Array) -> Array:
    """The float32 array [samples, ...] of a uint8 vector. Raises CodeError for one that is damaged or made by another code."""
    data = memoryview(message.astype(np.uint8).tobytes())
    body = data[_HEAD.size :]
    count = _checked(bytes(data[: _HEAD.size]), body, digest)
    at, arrays = count * _LENGTH.size, list[Array]()
    for (size,) in _lengths(body, count):
        made = code.decode(body[at : at + size]) if size <= min(code.most, len(body) - at) else None
        if made is None:
            raise CodeError(f"a coded tensor is damaged in its sample {len(arrays)}")
        arrays.append(made)
        at += size
    if at != len(body):
        raise CodeError("a coded tensor is longer than it says")
    return np.concatenate(arrays)


def _checked(head: bytes, body: memoryview, digest: int) -> int:
    """The number of samples."""
    if len(head) < _HEAD.size or head[:2] != MAGIC:
        raise CodeError("what arrived is no coded tensor, or is cut off")
    _, version, free, count, made_by, checksum = _HEAD.unpack(head)
    if version != VERSION or free:
        raise CodeError(f"a coded tensor has version {version}, this edgeopt reads {VERSION}")
    if made_by != digest:
        raise CodeError("a coded tensor was made by another code: the tiers run different plans")
    if checksum != zlib.crc32(body):
        raise CodeError("a coded tensor differs from its checksum")
    if not 1 <= count <= MOST_SAMPLES or count * _LENGTH.size > len(body):
        raise CodeError(f"a coded tensor says that it has {count} samples")
    return int(count)


def _lengths(body: memoryview, count: int) -> Iterable[tuple[int, ...]]:
    return _LENGTH.iter_unpack(body[: count * _LENGTH.size])
