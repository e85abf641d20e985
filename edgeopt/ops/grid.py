"""Uniform quantisation: element types, scales and zero points, and how an array is rounded to its grid.

    q = saturate(round(x / scale) + zero)      x ~ (q - zero) * scale          (ONNX, QuantizeLinear and DequantizeLinear)

Rounding is to nearest even; the division is done in the type of ``x``, as the operator defines it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, numpy_dtype

LIMITS = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int3": (-4, 3),  # no type of ONNX: to compare with
    "int2": (-2, 1),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int32": (-(2**31), 2**31 - 1),
}
BITS = {"int2": 2, "int3": 3, "int4": 4, "uint4": 4, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "float16": 16, "int32": 32}
MIN_SCALE = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class QuantizationScheme:
    """What is quantised, and to which types.

    ``weights`` and ``activations`` name element types; '' leaves that side in float32, ``float16`` stores weights in half
    precision, ``int2`` takes the codes {-1, 0, 1}, ``binary`` takes {-1, 1} and is stored as int2. ``per_channel`` gives each
    output channel of a weight its own scale; ``symmetric`` puts the zero point of activations at 0. ``dynamic`` leaves
    activations in float32 and quantises what a layer reads at run time, on a grid of its own, so that nothing has to be
    calibrated.
    """

    name: str
    weights: str = "int8"
    activations: str = "uint8"
    per_channel: bool = True
    symmetric: bool = False
    dynamic: bool = False

    def signed(self, symmetric: bool = False) -> QuantizationScheme:
        """The same with signed activations, as Arm dot products want them; many NPUs also want zero in the middle."""
        types = {"uint8": "int8", "uint4": "int4"}
        return replace(self, activations=types.get(self.activations, self.activations), symmetric=symmetric)

    def per_tensor(self) -> QuantizationScheme:
        """The same with one scale for each weight tensor."""
        return replace(self, per_channel=False)


SCHEMES = {
    s.name: s
    for s in (
        QuantizationScheme("w8a8"),
        QuantizationScheme("w8a16", activations="int16"),
        QuantizationScheme("w4a8", weights="int4"),
        QuantizationScheme("w4a4", weights="int4", activations="uint4"),
        QuantizationScheme("w8a8-dynamic", activations="", dynamic=True),
        QuantizationScheme("w8", activations=""),
        QuantizationScheme("w4", weights="int4", activations=""),
        QuantizationScheme("fp16", weights="float16", activations=""),
        QuantizationScheme("w2", weights="int2", activations=""),
        QuantizationScheme("w1", weights="binary", activations=""),
    )
}


def scheme(name: str) -> QuantizationScheme:
    """The scheme called ``name``. Raises EdgeoptError for unknown names."""
    if name not in SCHEMES:
        raise EdgeoptError(f"unknown quantization '{name}'; known are {', '.join(SCHEMES)}")
    return SCHEMES[name]


def weights_alone(given: QuantizationScheme) -> QuantizationScheme:
    """The scheme of the same weights that needs to know nothing of activations."""
    if not given.activations:
        return given
    found = next(s for s in SCHEMES.values() if s.weights == given.weights and not s.activations and not s.dynamic)
    return replace(found, per_channel=given.per_channel)


@dataclass(frozen=True, eq=False)
class Quantizer:
    """Scale and zero point of a tensor. ``scale`` is a scalar array, or a vector along ``axis``; ``zero`` has its shape.

    ``low`` and ``high`` bound the codes; they may be narrower than the element type ``dtype`` (weights use -127..127).
    """

    dtype: str
    scale: Array
    zero: Array
    axis: int | None = None
    low: int = 0
    high: int = 0

    @property
    def bits(self) -> int:
        """Bits of a code in memory."""
        return BITS[self.dtype]

    def quantize(self, array: Array) -> Array:
        """The codes of ``array``, as int32."""
        scale, zero = self._shaped(self.scale, array.ndim), self._shaped(self.zero, array.ndim).astype(np.int64)
        rounded = np.rint(array / scale).astype(np.float64) + zero
        return np.clip(rounded, self.low, self.high).astype(np.int32)

    def dequantize(self, codes: Array) -> Array:
        """The float32 values of ``codes``."""
        scale, zero = self._shaped(self.scale, codes.ndim), self._shaped(self.zero, codes.ndim).astype(np.int64)
        return (codes.astype(np.int64) - zero).astype(np.float32) * scale

    def simulate(self, array: Array) -> Array:
        """``array`` rounded to the grid, in float32."""
        return self.dequantize(self.quantize(array))

    def stored(self, codes: Array) -> Array:
        """``codes`` in the element type."""
        return codes.astype(numpy_dtype(self.dtype))

    def _shaped(self, vector: Array, rank: int) -> Array:
        if self.axis is None or vector.ndim == 0:
            return vector
        return vector.reshape([-1 if i == self.axis else 1 for i in range(rank)])


def quantizer(dtype: str, scale: npt.ArrayLike, zero: npt.ArrayLike, axis: int | None = None, narrow: bool = False) -> Quantizer:
    """A Quantizer over the limits of ``dtype``; ``narrow`` leaves the lowest code out, so that codes are symmetric."""
    low, high = LIMITS[dtype]
    scale = np.maximum(np.asarray(scale, np.float32), np.float32(MIN_SCALE))
    return Quantizer(dtype, scale, np.asarray(zero, np.int32), axis, low + (1 if narrow else 0), high)


def from_range(low: float, high: float, dtype: str, symmetric: bool = False) -> Quantizer:
    """The Quantizer whose grid covers [low, high] and zero, so that padding and ReLU are exact.

    ``symmetric`` puts zero in the middle of a signed type, at the lowest code of an unsigned one.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    first, last = LIMITS[dtype]
    if symmetric:
        bound = max(-low, high)
        return quantizer(dtype, np.float32(bound / last), np.int32(0), narrow=first < 0)
    scale = max((high - low) / (last - first), MIN_SCALE)
    zero = int(np.clip(np.rint(first - low / scale), first, last))
    return quantizer(dtype, np.float32(scale), np.int32(zero))


def weight_quantizer(bound: Array, dtype: str, axis: int | None) -> Quantizer:
    """The symmetric Quantizer of weights whose magnitude reaches ``bound`` (scalar, or a vector along ``axis``).

    Channels that are all zero get scale 1.
    """
    _, high = LIMITS[dtype]
    bound = np.asarray(bound, np.float64)
    scale = np.where(bound > 0, bound / high, 1.0).astype(np.float32)
    return quantizer(dtype, scale, np.zeros(scale.shape, np.int32), axis, narrow=True)
