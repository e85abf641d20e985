"""Element types and tensor types, named as ONNX names them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnx

OWN_DOMAIN = "ai.edgeopt"
Array = npt.NDArray[Any]
Dim = int | str | None
Attribute = object


class VerificationError(ValueError):
    """A graph breaks a rule of the IR; the message shows the offending node with its neighbours."""


_CODES = {"float32": "FLOAT", "float64": "DOUBLE"}
_NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}


@lru_cache(4096)
def _known(shape: tuple[Dim, ...]) -> bool:
    return all(isinstance(d, int) for d in shape)


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type by its ONNX name in lower case (``float32`` is ``float32``, not ``float``) and shape.

    ``shape`` is None when the rank is unknown; a dimension is an int, a symbol or None when unknown.
    ``proto`` carries what is not a tensor (sequence, optional, map) unchanged through the compiler.
    """

    dtype: str
    shape: tuple[Dim, ...] | None = None
    proto: bytes | None = None

    @property
    def static(self) -> bool:
        """True when every dimension is a known integer."""
        return self.proto is None and self.shape is not None and _known(self.shape)

    @property
    def dims(self) -> tuple[int, ...]:
        """The static shape. Raises VerificationError when a dimension is not a known integer."""
        if self.shape is None or not self.static:
            raise VerificationError(f"the shape of {self} is not static")
        return cast("tuple[int, ...]", self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of a tensor of this type in memory; 0 for a shape that is not static and for what is no tensor of numbers."""
        if not self.static or self.dtype == "string":
            return 0
        return prod(self.dims) * numpy_dtype(self.dtype).itemsize

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype}[*]"
        return f"{self.dtype}[{','.join('?' if d is None else str(d) for d in self.shape)}]"


def numpy_dtype(dtype: str) -> np.dtype[np.generic]:
    """The numpy type of an element type name. Raises VerificationError for unknown names."""
    if dtype == "string":
        return np.dtype(object)
    try:
        code = onnx_code(dtype)
        return onnx.helper.tensor_dtype_to_np_dtype(code)
    except (KeyError, ValueError) as error:
        raise VerificationError(f"unknown element type '{dtype}'") from error


def onnx_code(dtype: str) -> int:
    """The TensorProto.DataType of an element type name."""
    return int(onnx.TensorProto.DataType.Value(_CODES.get(dtype, dtype.upper())))


def dtype_name(code: int) -> str:
    """The element type name of a TensorProto.DataType."""
    name: str = onnx.TensorProto.DataType.Name(code)
    return _NAMES.get(name, name.lower())
