"""Checks a TensorProto before anything reads it: element type, dimensions, the amount of data, and where external data lies."""

from __future__ import annotations

from math import prod
from pathlib import Path

from onnx import TensorProto, helper

from edgeopt.errors import EdgeoptError

MAX_ELEMENTS = 2**36
_PACKED_BITS: dict[int, int] = {
    TensorProto.INT4: 4,
    TensorProto.UINT4: 4,
    TensorProto.FLOAT4E2M1: 4,
    TensorProto.INT2: 2,
    TensorProto.UINT2: 2,
    TensorProto.FLOAT6E2M3: 6,
    TensorProto.FLOAT6E3M2: 6,
}
_COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)


def element_bits(code: int) -> int:
    """Bits of one stored element of a TensorProto.DataType (0 for strings). Raises EdgeoptError for an unknown one."""
    if code == TensorProto.STRING:
        return 0
    if code == TensorProto.UNDEFINED or code not in TensorProto.DataType.values():
        raise EdgeoptError(f"the element type {code} is unknown to this version of onnx")
    return _PACKED_BITS.get(code) or helper.tensor_dtype_to_np_dtype(code).itemsize * 8


def check_tensor(tensor: TensorProto, folder: Path | None, where: str) -> None:
    """Raise EdgeoptError when the data of ``tensor`` does not fill its shape or lies outside ``folder``.

    ``folder`` is None for a model that came from memory, where external data cannot be found.
    """
    count = prod(tensor.dims)
    try:
        bits = element_bits(tensor.data_type)
    except EdgeoptError as error:
        raise EdgeoptError(f"{where}: {error}") from error
    if any(d < 0 for d in tensor.dims) or count > MAX_ELEMENTS:
        raise EdgeoptError(f"{where} has the impossible shape {list(tensor.dims)}; the file is damaged or malicious")
    expected = (count * bits + 7) // 8
    if tensor.data_location == TensorProto.EXTERNAL:
        _check_external(tensor, folder, expected, where)
    else:
        _check_inline(tensor, count, expected, where)


def _check_inline(tensor: TensorProto, count: int, expected: int, where: str) -> None:
    if tensor.HasField("segment"):
        raise EdgeoptError(f"{where} is stored in segments, which no runtime reads; export the model again")
    if tensor.HasField("raw_data") and tensor.data_type != TensorProto.STRING:
        held, wanted, unit = len(tensor.raw_data), expected, "bytes"
    else:
        held, wanted, unit = _field_length(tensor), _field_count(tensor.data_type, count, expected), "entries"
    if held != wanted:
        raise EdgeoptError(
            f"{where} of shape {list(tensor.dims)} and type {TensorProto.DataType.Name(tensor.data_type)} "
            f"holds {held} {unit} of data where {wanted} are needed; the file is damaged, export it again"
        )


def _field_length(tensor: TensorProto) -> int:
    return len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type)))


def _field_count(code: int, count: int, expected: int) -> int:
    if code in _COMPLEX:
        return 2 * count
    return count if _PACKED_BITS.get(code, 8) in (6, 8) else expected


def _check_external(tensor: TensorProto, folder: Path | None, expected: int, where: str) -> None:
    if folder is None:
        raise EdgeoptError(f"{where} lies in another file, but the model came from memory; load it from its path")
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = external_path(entries.get("location", ""), folder, where)
    try:
        offset = int(entries.get("offset", 0))
        size = path.stat().st_size
        length = int(entries.get("length", size - offset))
    except ValueError as error:
        raise EdgeoptError(f"{where} has a damaged external-data entry: {error}") from error
    if offset < 0 or length != expected or offset + length > size:
        raise EdgeoptError(
            f"{where} needs {expected} bytes of '{path.name}', but its entry says {length} bytes at {offset} "
            f"and the file has {size}; copy the model with its data files again"
        )


def external_path(location: str, folder: Path, where: str) -> Path:
    """The data file ``location``, which must be a regular file inside ``folder``. Raises EdgeoptError when it is not."""
    inside = folder.resolve()
    try:
        path = (inside / location).resolve()
        present = path.is_file()
    except (OSError, ValueError) as error:
        raise EdgeoptError(f"{where} names the impossible data file {location!r}") from error
    if not location or not path.is_relative_to(inside):
        raise EdgeoptError(f"{where} names the data file '{location}', outside the model's folder; that is refused for safety")
    if not present and (inside / "manifest.json").is_file():
        own = "give the .onnx file that it was compiled from, or name --target where it is trained; one that stands alone is"
        made = f"what 'edgeopt compile --emit onnx' writes, and in Python edgeopt.load('{folder}').onnx()"
        raise EdgeoptError(f"{where} lies coded in the compiled model '{folder}': {own} {made}")
    if not present:
        raise EdgeoptError(f"{where} lies in the data file '{location}', which is missing; put it next to the model")
    return path
