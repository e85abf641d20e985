"""Tensors on the wire: the JSON object of the Open Inference Protocol with binary data behind it.

The protocol is KServe's version 2 with its extension for binary tensors: the header ``Inference-Header-Content-Length`` says how
many bytes of the body are JSON; a tensor with the parameter ``binary_data_size`` lies behind it, little-endian and dense, in the
order of the list. Tensors may also be lists of numbers in the JSON. Nothing is believed: sizes, types and counts are checked.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array

HEADER = "Inference-Header-Content-Length"
CHECKSUM = "crc32"  # a parameter of a message: of the bytes behind the JSON
TYPES = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4",
    "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in TYPES.items()}
ALIGNED = 8  # bytes of the largest element
_RANK = 16  # more dimensions than any model has


class WireError(EdgeoptError):
    """A message that does not keep to the protocol."""


class Seal:
    """Whether one server puts checksums into its answers."""

    def __init__(self) -> None:
        self._given = False

    def require(self, sealed: bool) -> None:
        """Raise WireError when a server that gave a checksum before gives none: what was damaged may be just that."""
        if self._given and not sealed:
            raise WireError("the answer lost its checksum")
        self._given = sealed


def type_name(dtype: np.dtype[Any]) -> str:
    """The protocol's name of an element type. Raises WireError for one it has none for."""
    name = _NAMES.get(dtype.newbyteorder("<"))
    if name is None:
        raise WireError(f"the inference protocol has no tensors of {dtype}")
    return name


def message(
    record: Mapping[str, Any], key: str, tensors: Mapping[str, Array], binary: bool = True
) -> tuple[bytes, bytes | memoryview]:
    """(JSON, binary data) of ``record`` with ``tensors`` in its list ``key``; the data of a single tensor are its own memory.

    Spaces fill the JSON up to a multiple of ``ALIGNED`` bytes, so that numbers behind it can be used where they arrive.
    """
    rows: list[dict[str, Any]] = []
    blobs: list[memoryview] = []
    for name, array in tensors.items():
        row: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": type_name(array.dtype)}
        if binary:
            blobs.append(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data)
            row["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            row["data"] = array.ravel().tolist()
        rows.append(row)
    blob = blobs[0] if len(blobs) == 1 else b"".join(blobs)
    parameters = {**record.get("parameters", {}), **({CHECKSUM: zlib.crc32(blob)} if binary else {})}
    head = json.dumps({**record, "parameters": parameters, key: rows}).encode()
    return head + b" " * (-len(head) % ALIGNED if binary else 0), blob


def parsed(body: bytes | memoryview, header: str | None) -> tuple[dict[str, Any], memoryview]:
    """The JSON object and the data behind it. Raises WireError for a header that does not fit and for what is no object."""
    size = len(body)
    if header is not None:
        if not header.isascii() or not header.isdigit() or len(header) > 12 or int(header) > len(body):
            raise WireError(f"{HEADER} is {header[:20]!r}, the body has {len(body)} bytes")
        size = int(header)
    try:
        record = json.loads(bytes(body[:size]))
    except (ValueError, RecursionError) as error:
        raise WireError(f"the message is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise WireError("the message is no JSON object")
    blob, wanted = memoryview(body)[size:], checksum(record)
    if wanted is not None and wanted != zlib.crc32(blob):
        raise WireError("the data of the message are damaged: their checksum is another")
    return record, blob


def checksum(record: Mapping[str, Any]) -> object:
    """What a message says of the sum of its data, or None."""
    parameters = record.get("parameters")
    return parameters.get(CHECKSUM) if isinstance(parameters, dict) else None


def tensors(record: Mapping[str, Any], key: str, blob: memoryview) -> dict[str, Array]:
    """The tensors of the list ``key``, by name: where they lie in ``blob`` if that can be, else copied.

    Raises WireError for one that contradicts itself.
    """
    rows = record.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise WireError(f"'{key}' is no list of tensors")
    found: dict[str, Array] = {}
    for row in rows:
        name = row.get("name")
        if not isinstance(name, str) or name in found:
            raise WireError(f"a tensor of '{key}' has no name, or one that another has")
        found[name], blob = _tensor(row, name, blob)
    if len(blob):
        raise WireError(f"{len(blob)} bytes behind the last tensor belong to none")
    return found


def _tensor(row: Mapping[str, Any], name: str, blob: memoryview) -> tuple[Array, memoryview]:
    """One tensor, and the data behind its own."""
    dtype, shape = _kind(row, name), _shape(row, name)
    parameters = row.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return _listed(row.get("data"), dtype, shape, name), blob
    wanted = math.prod(shape) * dtype.itemsize
    if size != wanted or len(blob) < wanted:
        raise WireError(f"tensor '{name}' of {wanted} bytes comes with {min(len(blob), wanted) if size == wanted else size}")
    if dtype == np.dtype(bool) and np.frombuffer(blob[:wanted], np.uint8).max(initial=0) > 1:
        raise WireError(f"tensor '{name}' holds truth values other than 0 and 1")
    array = np.frombuffer(blob[:wanted], dtype).reshape(shape)
    usable = array.flags.aligned and array.flags.writeable and dtype.isnative
    return array if usable else array.astype(dtype.newbyteorder("=")), blob[wanted:]


def _kind(row: Mapping[str, Any], name: str) -> np.dtype[Any]:
    kind = row.get("datatype")
    if not isinstance(kind, str) or kind not in TYPES:
        raise WireError(f"tensor '{name}' has the type {str(kind)[:20]!r}; there are {', '.join(TYPES)}")
    return np.dtype(TYPES[kind])


def _shape(row: Mapping[str, Any], name: str) -> tuple[int, ...]:
    shape = row.get("shape")
    if not isinstance(shape, list) or len(shape) > _RANK or not all(type(d) is int and 0 <= d < 2**31 for d in shape):
        raise WireError(f"tensor '{name}' has no shape that a tensor can have")
    return tuple(shape)


def _listed(data: object, dtype: np.dtype[Any], shape: tuple[int, ...], name: str) -> Array:
    """An array of numbers listed in the JSON, flat or nested as the shape is."""
    flat = list(_flat(data, _RANK)) if isinstance(data, list) else []
    if not isinstance(data, list) or len(flat) != math.prod(shape):
        raise WireError(f"tensor '{name}' of {math.prod(shape)} elements lists {len(flat)}")
    kinds: Sequence[type] = (bool,) if dtype == np.dtype(bool) else (int,) if dtype.kind in "iu" else (int, float)
    if not all(type(x) in kinds for x in flat):
        raise WireError(f"tensor '{name}' lists what is no {dtype}")
    try:
        return np.array(flat, dtype.newbyteorder("=")).reshape(shape)
    except (OverflowError, ValueError) as error:
        raise WireError(f"tensor '{name}' lists a number that is no {dtype}") from error


def _flat(data: list[Any], depth: int) -> Iterable[Any]:
    for item in data:
        if isinstance(item, list) and depth:
            yield from _flat(item, depth - 1)
        else:
            yield item
