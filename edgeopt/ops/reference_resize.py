"""Resize for the reference evaluator, whose own errs.

onnx 1.23 takes the scaled length for the length of the result where the scale does not divide evenly (align_corners,
tf_crop_and_resize, and a result of one element in pytorch_half_pixel). Which element is nearest is decided in float32, as
runtimes do: in float64 the scale 0.6 of a model is a little more than 0.6, and 3 / 0.6 a little less than 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import numpy_helper
from onnx.reference.ops.op_resize import Resize as OnnxResize

from edgeopt.ir import Array

BY_LENGTH = ("align_corners", "tf_crop_and_resize")
ONE = np.float32(1)
HALF = np.float32(0.5)


class Resize(OnnxResize):
    """Y[..., o, ...] interpolates X along one axis after the other at the source position of o."""

    def _run(  # type: ignore[override]
        self, x: Array, roi: Any, scales: Any = None, sizes: Any = None, **rest: Any
    ) -> tuple[Array]:
        policy, axes = rest.get("keep_aspect_ratio_policy") or "stretch", rest.pop("axes", None)
        if policy != "stretch" and rest["mode"] != "nearest":
            (found,) = super()._run(x, roi, scales, sizes, axes=axes, **rest)
            return (np.asarray(found),)
        places = [a % x.ndim for a in (axes or range(x.ndim))]
        lengths, factors = _lengths(x.shape, places, scales, sizes, policy)
        cropped = rest["coordinate_transformation_mode"] == "tf_crop_and_resize"
        regions = np.asarray(roi if cropped else [0.0, 1.0] * len(places), np.float32).reshape(2, -1) if cropped else None
        y = x if rest["mode"] == "nearest" else x.astype(np.float64)
        for i, place in enumerate(places):
            region = (ONE * 0, ONE) if regions is None else (regions[0, i], regions[1, i])
            if lengths[i] != x.shape[place] or not np.isclose(factors[i], 1) or region != (0, 1):
                y = self._axis(y, place, lengths[i], factors[i], region, rest)
        return (y.astype(x.dtype) if x.dtype.kind == "f" else numpy_helper.saturate_cast(y, x.dtype),)

    def _axis(self, x: Array, place: int, length: int, factor: Any, region: Sequence[Any], rest: dict[str, Any]) -> Array:
        mode = rest["coordinate_transformation_mode"]
        if rest["mode"] == "nearest":
            at = _position(mode, length, x.shape[place], factor, region)
            index = _ROUND[rest["nearest_mode"] or "round_prefer_floor"](at).astype(np.int64).clip(0, x.shape[place] - 1)
            y = np.take(x, index, place)
            outside = (at < 0) | (at > x.shape[place] - 1) if mode == "tf_crop_and_resize" else np.zeros(length, np.bool_)
            return np.where(_along(outside, place, x.ndim), np.asarray(rest["extrapolation_value"] or 0, x.dtype), y)
        single = mode == "pytorch_half_pixel" and length == 1
        by_length = single or (mode in BY_LENGTH and not rest.get("antialias"))
        full, target = [1.0] * x.ndim, list(x.shape)
        full[place], target[place] = float(factor), length
        roi = np.repeat([0.0, 1.0], x.ndim)
        roi[place], roi[x.ndim + place] = region
        kept = {
            **rest,
            "coordinate_transformation_mode": "align_corners" if single else mode,
            "keep_aspect_ratio_policy": "stretch",
        }
        sized = {"sizes": target} if by_length else {"scales": full}
        (y,) = super()._run(x, roi if mode == "tf_crop_and_resize" else None, **sized, **kept)
        return np.asarray(y)


def _lengths(shape: Sequence[int], places: Sequence[int], scales: Any, sizes: Any, policy: str) -> tuple[list[int], list[Any]]:
    """The length of the result and the scale along each resized axis."""
    if sizes is None or np.size(sizes) == 0:
        factors = [np.float32(s) for s in scales]
        return [int(shape[p] * float(f)) for p, f in zip(places, factors, strict=True)], factors
    factors = [np.float32(n) / np.float32(shape[p]) for n, p in zip(sizes, places, strict=True)]
    if policy == "stretch":
        return [int(n) for n in sizes], factors
    factor = (min if policy == "not_larger" else max)(int(n) / shape[p] for n, p in zip(sizes, places, strict=True))
    return [int(factor * shape[p] + 0.5) for p in places], [factor] * len(places)


def _position(mode: str, length: int, source: int, factor: Any, region: Sequence[Any]) -> Array:
    """The source positions of the elements of the result along one axis, in float32."""
    y, factor, last, extent = (
        np.arange(length, dtype=np.float32),
        np.float32(factor),
        np.float32(source - 1),
        np.float32(length - 1),
    )
    if mode == "asymmetric":
        return np.asarray(y / factor, np.float32)
    if mode == "align_corners":
        return np.asarray(y * last / extent, np.float32) if length > 1 else y
    if mode == "tf_crop_and_resize":
        start, stop = region
        inner = y * (stop - start) * last / extent if length > 1 else np.full(1, HALF * (stop - start) * last)
        return np.asarray(inner + start * last, np.float32)
    if mode == "pytorch_half_pixel" and length == 1:
        return y
    shift = np.float32(0)
    if mode == "half_pixel_symmetric":
        shift = np.float32(source) * HALF * (ONE - np.float32(length) / (factor * np.float32(source)))
    return np.asarray(shift + (y + HALF) / factor - HALF, np.float32)


_ROUND: dict[str, Callable[[Array], Array]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda at: np.ceil(at - HALF),
    "round_prefer_ceil": lambda at: np.floor(at + HALF),
}


def _along(vector: Array, place: int, rank: int) -> Array:
    return vector.reshape([-1 if axis == place else 1 for axis in range(rank)])
