"""Checks a manifest before anything in it is believed: every field, its type and its range, and what fields say about each other.

Checksums tell damage; they do not tell nonsense that was sealed with right ones.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from edgeopt.codegen.identifiers import is_identifier
from edgeopt.errors import EdgeoptError
from edgeopt.ir import numpy_dtype
from edgeopt.runtime.manifest import TARGET_FACTS, Manifest
from edgeopt.runtime.marks import OWN_FILES
from edgeopt.target import Target

LARGEST, RANK, CORES = 1 << 46, 64, 4096  # bytes of a block, dimensions numpy can have, threads

Check = Callable[[Any, str], None]


def require(right: bool, where: str, problem: str) -> None:
    """Raise EdgeoptError about the field ``where`` unless ``right``."""
    if not right:
        raise EdgeoptError(f"'{where}' of the manifest {problem}")


def text(value: Any, where: str) -> None:
    """A string."""
    require(isinstance(value, str), where, "is no text")


def identifier(value: Any, where: str) -> None:
    """A C identifier."""
    require(isinstance(value, str) and is_identifier(value), where, "is no identifier")


def number(value: Any, where: str) -> None:
    """A finite number."""
    require(type(value) in (int, float) and math.isfinite(value), where, "is no finite number")


def flag(value: Any, where: str) -> None:
    """True or False."""
    require(isinstance(value, bool), where, "is neither true nor false")


def whole(low: int, high: int) -> Check:
    """An integer from ``low`` to ``high``."""

    def check(value: Any, where: str) -> None:
        require(type(value) is int and low <= value <= high, where, f"is no integer from {low} to {high}")

    return check


def listed(item: Check) -> Check:
    """A list of what ``item`` checks."""

    def check(value: Any, where: str) -> None:
        require(isinstance(value, list), where, "is no list")
        for index, element in enumerate(value):
            item(element, f"{where}[{index}]")

    return check


def record(fields: Mapping[str, Check], more: bool = False) -> Check:
    """A mapping with these fields, and with ``more`` others."""

    def check(value: Any, where: str) -> None:
        require(isinstance(value, dict), where, "is no mapping")
        lacks, others = sorted(fields.keys() - value.keys()), sorted(value.keys() - fields.keys())
        require(not lacks, where, f"lacks {lacks}")
        require(more or not others, where, f"has the unknown {others}")
        for field, item in fields.items():
            item(value[field], f"{where}.{field}".lstrip("."))

    return check


def table(key: Check, item: Check) -> Check:
    """A mapping from what ``key`` checks to what ``item`` checks."""

    def check(value: Any, where: str) -> None:
        require(isinstance(value, dict), where, "is no mapping")
        for name, element in value.items():
            key(name, where)
            item(element, f"{where}.{name}")

    return check


def optional(item: Check) -> Check:
    """None, or what ``item`` checks."""
    return lambda value, where: None if value is None else item(value, where)


def _file_name(value: Any, where: str) -> None:
    plain = isinstance(value, str) and re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,100}", value) and value not in OWN_FILES[:2]
    require(bool(plain), where, f"has the impossible file {value!r}")


def _checksum(value: Any, where: str) -> None:
    require(isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)), where, "is no checksum")


def _shape(value: Any, where: str) -> None:
    listed(whole(0, LARGEST))(value, where)
    require(len(value) <= RANK and math.prod(value) <= LARGEST, where, "is too large")


def _place(value: Any, where: str) -> None:
    require(isinstance(value, list) and len(value) == 2, where, "is no place")
    require(value[0] in ("arena", "weights", "input", "output"), where, f"names the unknown memory {value[0]!r}")
    whole(0, LARGEST)(value[1], where)


def _output(value: Any, where: str) -> None:
    """A port that may say what the model declares of its shape."""
    require(isinstance(value, dict), where, "is no mapping")
    listed(optional(whole(0, LARGEST)))(value.get("declared", []), f"{where}.declared")
    _binding({field: item for field, item in value.items() if field != "declared"}, where)


def _binding(value: Any, where: str) -> None:
    record({"name": text, "dtype": text, "shape": optional(_shape), "place": optional(_place)})(value, where)
    if value["place"] is not None:
        require(value["shape"] is not None, where, "has a place and no shape")
        require(size(value) <= LARGEST, where, "is too large")


def size(binding: Manifest) -> int:
    """Bytes of a tensor with a shape. Raises EdgeoptError for an element type that lies in no memory."""
    try:
        dtype = numpy_dtype(binding["dtype"])
    except Exception as error:  # numpy's and onnx's own for names that they do not know
        raise EdgeoptError(f"'{binding['name']}' has the unknown element type {binding['dtype']!r} in the manifest") from error
    require(not dtype.hasobject, str(binding["name"]), "has elements that lie in no memory")
    return math.prod(binding["shape"]) * dtype.itemsize


def _part(value: Any, where: str) -> None:
    require(isinstance(value, dict), where, "is no mapping")
    if "last" in value or "first" in value:
        return record({"first": whole(0, LARGEST), "last": whole(0, LARGEST)})(value, where)
    record({"node": text, "inputs": listed(optional(_binding)), "outputs": listed(_binding)})(value, where)


_BYTES = whole(0, LARGEST)


def _placement(value: Any, where: str) -> None:
    """Nested lists of numbers, as deep as a tensor can have axes."""
    level = [value]
    for _ in range(4 * RANK):
        require(all(type(item) is int and abs(item) <= LARGEST for item in level if not isinstance(item, list)), where, "is odd")
        level = [inner for item in level if isinstance(item, list) for inner in item]
        if not level:
            return
    require(False, where, "is nested too deeply")


def _coding(value: Any, where: str) -> None:
    require(value in ("raw", "coded"), where, "names no form of storage")


_TENSOR = record({"name": text, "elements": _BYTES, "bytes": _BYTES, "stored": _BYTES, "loaded": _BYTES, "coding": text})
_CONSTANT = record(
    {
        "name": text,
        "bytes": _BYTES,
        "shape": _shape,
        "entry": optional(_BYTES),
        "block": optional(listed(_BYTES)),
        "placement": optional(_placement),
    }
)
_OF_TYPES: dict[object, Check] = {"str": text, "int": whole(0, 1 << 62), "float": number, "bool": flag}
_TARGET = {f.name: _OF_TYPES[f.type] for f in dataclasses.fields(Target) if f.name in TARGET_FACTS} | {"cores": whole(1, CORES)}

INTERFACE = record(
    {
        "offsets": table(text, _BYTES),
        "codes": table(text, record({"dtype": text, "scale": number, "zero_point": whole(-(1 << 31), 1 << 31)})),
    },
    more=True,
)
ROWS = listed(whole(1, LARGEST))  # of a streamed input: how many, and the bytes of one

MANIFEST_FIELDS: dict[str, Check] = {
    "name": identifier,
    "model": text,
    "level": whole(0, 3),
    "target": record(_TARGET),
    "inputs": listed(_binding),
    "outputs": listed(_output),
    "arena_bytes": _BYTES,
    "arena_lower_bound": _BYTES,
    "memory_limit": optional(_BYTES),
    "source_bytes": optional(_BYTES),
    "scratch_bytes": _BYTES,
    "weights_bytes": _BYTES,
    "parts": listed(_part),
    "fallbacks": listed(record({"op": text, "node": text, "reason": text})),
    "kernels": listed(record({"node": text, "op": text, "kernel": text})),
    "passes": table(text, _BYTES),
    "notes": listed(text),
    "islands": listed(record({"node": text, "op": text, "reason": text})),
    "storage": record({"coding": _coding, "tensors": listed(_TENSOR), "constants": listed(_CONSTANT)}),
    "checksums": table(_file_name, _checksum),
    "sizes": table(_file_name, _BYTES),
}
