"""Reading and writing elements: the type a kernel computes in, and conversion of the 16-bit floats held as integers.

Half precision is converted by integer arithmetic, so that no target needs a library call for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Site, Tensor
from edgeopt.kernels.emit.intrinsics import bits_to_float, float_to_bits, inline

Scalar = type[Any]
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_RESCALE = np.float32(2.0**112)
_DENORMAL = np.float32(0.5)


@inline
def half_to_float(h: Any) -> Any:
    """IEEE binary16 bits to float32."""
    bits = np.int32(h)
    x = bits_to_float(np.int32((bits & np.int32(0x7FFF)) << np.int32(13))) * _RESCALE
    magnitude = float_to_bits(x)
    special = np.int32(magnitude | np.int32(0x7F800000)) if x >= np.float32(65536) else magnitude
    return bits_to_float(np.int32(special | ((bits & np.int32(0x8000)) << np.int32(16))))


@inline
def float_to_half(x: Any) -> Any:
    """float32 to IEEE binary16 bits, to nearest even."""
    bits = float_to_bits(np.float32(x))
    sign = (bits >> np.int32(16)) & np.int32(0x8000)
    magnitude = np.int32(bits & np.int32(0x7FFFFFFF))
    denormal = float_to_bits(bits_to_float(magnitude) + _DENORMAL) - np.int32(0x3F000000)
    normal = (magnitude - np.int32(0x38000000) + np.int32(0xFFF) + ((magnitude >> np.int32(13)) & np.int32(1))) >> np.int32(13)
    value = denormal if magnitude < np.int32(0x38800000) else normal
    value = np.int32(0x7C00) if magnitude >= np.int32(0x477FF000) else value
    value = np.int32(0x7E00) if magnitude > np.int32(0x7F800000) else value
    return np.uint16(value | sign)


@inline
def bfloat_to_float(h: Any) -> Any:
    """bfloat16 bits to float32."""
    return bits_to_float(np.int32(np.int32(h) << np.int32(16)))


@inline
def float_to_bfloat(x: Any) -> Any:
    """float32 to bfloat16 bits, to nearest even."""
    bits = float_to_bits(np.float32(x))
    rounded = (bits + np.int32(0x7FFF) + ((bits >> np.int32(16)) & np.int32(1))) >> np.int32(16)
    return np.uint16(rounded if x == x else np.int32(0x7FC0))


_load_plain = inline(lambda p, i: p[i])
_load_half = inline(lambda p, i: half_to_float(p[i]))
_load_bfloat = inline(lambda p, i: bfloat_to_float(p[i]))
_load_int4 = inline(lambda p, i: np.int8(np.int8(p[i] << 4) >> 4))
_load_uint4 = inline(lambda p, i: np.uint8(p[i] & 15))
_load_int2 = inline(lambda p, i: np.int8(np.int8(p[i] << 6) >> 6))
_load_uint2 = inline(lambda p, i: np.uint8(p[i] & 3))
_LOADERS = {
    "float16": _load_half,
    "bfloat16": _load_bfloat,
    "int4": _load_int4,
    "uint4": _load_uint4,
    "int2": _load_int2,
    "uint2": _load_uint2,
}


@cache
def loader(dtype: str) -> Callable[..., Any]:
    """The inline function (pointer, index) -> value in the type ``scalar(dtype)``."""
    return _LOADERS.get(dtype, _load_plain)


@cache
def storer(dtype: str) -> Callable[..., Any]:
    """The inline function (pointer, index, value) that converts ``value`` to ``dtype`` and stores it."""
    convert = {"float16": float_to_half, "bfloat16": float_to_bfloat}.get(dtype) or storage(dtype)

    @inline
    def store(p: Any, i: Any, value: Any) -> None:
        p[i] = convert(value)

    return store


def scalar(dtype: str) -> Scalar:
    """The type a kernel computes in: float32 for the 16-bit floats, else the element's own. Raises Declined."""
    if dtype in ("float16", "bfloat16"):
        return np.float32
    return storage(dtype)


def storage(dtype: str) -> Scalar:
    """The type that holds an element in memory; sub-byte integers lie one to a byte, whose other bits are free.

    Raises Declined for other types.
    """
    if dtype in ("float32", "float64", *INTEGERS):
        return np.dtype(dtype).type
    try:
        return _STORAGE[dtype]
    except KeyError:
        raise Declined(f"element type {dtype}") from None


_STORAGE: dict[str, Scalar] = {
    "bool": np.uint8,
    "float16": np.uint16,
    "bfloat16": np.uint16,
    "int4": np.int8,
    "uint4": np.uint8,
    "int2": np.int8,
    "uint2": np.uint8,
}


def wanted(site: Site, index: int) -> bool:
    """True when somebody asked for output ``index``."""
    return index < len(site.node.outputs) and site.node.outputs[index].name != ""


def require(tensor: Tensor, *dtypes: str) -> None:
    """Raises Declined when the element type of ``tensor`` is none of ``dtypes``."""
    if tensor.type.dtype not in dtypes:
        raise Declined(f"element type {tensor.type.dtype}")


def static(*tensors: Tensor | None) -> None:
    """Raises Declined when a shape is not static."""
    for tensor in tensors:
        if tensor is not None and not tensor.type.static:
            raise Declined(f"the shape of {tensor.type} is not static")
