"""Tensors and numbers as C has them."""

from __future__ import annotations

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import TensorType, numpy_dtype
from edgeopt.lower.program import Binding

_TYPES = {"float32": "float", "float64": "double", "int4": "int8_t", "int2": "int8_t"}
_INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def c_type(dtype: str) -> str:
    """The C type of an element type name; types that C lacks are taken as unsigned integers of their size."""
    return _TYPES.get(dtype) or (f"{dtype}_t" if dtype in _INTEGERS else f"uint{8 * numpy_dtype(dtype).itemsize}_t")


def known(binding: Binding) -> TensorType:
    """The type of an input or output, which a C interface needs. Raises EdgeoptError when it is not a static tensor."""
    if binding.type is None or not binding.type.static:
        raise EdgeoptError(f"'{binding.name}' is {binding.type}; a C library needs tensors of static shape (use --shape)")
    return binding.type


def literal(value: float) -> str:
    """A float32 as a C literal that reads back as the same number."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(letter in text for letter in ".en") else f"{text}.0f"
