"""Floats for inputs and outputs that hold codes, as the functions of the C header convert them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeopt.ir import Array, numpy_dtype
from edgeopt.runtime.manifest import Manifest


def to_codes(arrays: Mapping[str, Array], manifest: Manifest) -> dict[str, Array]:
    """``arrays`` of inputs or outputs with codes in the place of floats, where the C library has codes."""
    codes = _codes(manifest)
    return {name: _rounded(array, codes[name]) if name in codes else array for name, array in arrays.items()}


def to_reals(arrays: Mapping[str, Array], manifest: Manifest) -> dict[str, Array]:
    """``arrays`` with the floats that codes stand for."""
    codes = _codes(manifest)
    return {name: _real(array, codes[name]) if name in codes else array for name, array in arrays.items()}


def held(port: Manifest, manifest: Manifest) -> Manifest:
    """An input or output of the manifest with the element type that the C library has."""
    return {**port, **{key: value for key, value in _codes(manifest).get(port["name"], {}).items() if key == "dtype"}}


def _codes(manifest: Manifest) -> Mapping[str, Manifest]:
    found: Mapping[str, Manifest] = (manifest.get("interface") or {"codes": {}})["codes"]
    return found


def _rounded(array: Array, about: Manifest) -> Array:
    dtype: np.dtype[Any] = numpy_dtype(about["dtype"])
    codes = np.rint(array / np.float32(about["scale"])) + about["zero_point"]
    made: Array = np.clip(codes, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)
    return made


def _real(array: Array, about: Manifest) -> Array:
    made: Array = (array.astype(np.int32) - about["zero_point"]).astype(np.float32) * np.float32(about["scale"])
    return made
