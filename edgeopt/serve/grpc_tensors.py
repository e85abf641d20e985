"""Tensors in gRPC messages: raw bytes, one block for each tensor, or typed numbers; checked as those of HTTP are."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.serve.grpc_messages import Message
from edgeopt.serve.tensors import CHECKSUM, WireError, tensors, type_name

_CONTENTS = {
    "BOOL": "bool_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip


def put(message: Message, key: str, arrays: Mapping[str, Array]) -> None:
    """Add ``arrays`` to the list ``key`` ('inputs' or 'outputs') of ``message`` as raw bytes, with their checksum."""
    raw, total = getattr(message, f"raw_{key[:-1]}_contents"), 0
    for name, array in arrays.items():
        getattr(message, key).add(name=name, datatype=type_name(array.dtype), shape=array.shape)
        raw.append(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        total = zlib.crc32(raw[-1], total)
    message.parameters[CHECKSUM].int64_param = total


def taken(message: Message, key: str) -> tuple[dict[str, Array], bool]:
    """The tensors of the list ``key`` by name, and whether a checksum came with them and fits.

    Raises WireError for damaged ones and for a tensor that contradicts itself.
    """
    rows, raw = getattr(message, key), getattr(message, f"raw_{key[:-1]}_contents")
    if raw and len(raw) != len(rows):
        raise WireError(f"{len(rows)} {key} come with {len(raw)} blocks of bytes")
    blob = b"".join(raw)
    sealed = CHECKSUM in message.parameters
    if sealed and message.parameters[CHECKSUM].int64_param != zlib.crc32(blob):
        raise WireError("the data of the message are damaged: their checksum is another")
    listed = [_row(row, len(raw[index]) if raw else None) for index, row in enumerate(rows)]
    return tensors({key: listed}, key, memoryview(blob)), sealed


def _row(row: Message, size: int | None) -> dict[str, Any]:
    """A tensor as the JSON form has it."""
    found = {"name": row.name, "datatype": row.datatype, "shape": list(row.shape)}
    if size is not None:
        return {**found, "parameters": {"binary_data_size": size}}
    return {**found, "data": list(getattr(row.contents, _CONTENTS.get(row.datatype, "bytes_contents")))}
