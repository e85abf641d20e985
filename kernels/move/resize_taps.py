"""The taps of Resize along one axis: where each output position reads and with what weights (ONNX operator Resize-19)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Declined

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Taps:
    """``index`` and ``weight`` [outputs, taps] and ``bias`` [outputs]."""

    index: Array
    weight: Array
    bias: Array


def taps(node: Node, source: int, result: int, scale: float, region: tuple[float, float]) -> Taps:
    """Taps of ``node`` from ``source`` to ``result`` positions. Raises Declined for unknown modes."""
    place = _coordinates(node, source, result, scale, region)
    outside = np.zeros(result, np.bool_)
    if node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        outside = (place < 0) | (place > source - 1)
    mode = node.text("mode", "nearest")
    if mode == "nearest":
        index, weight = _nearest(node, place)[:, None], np.ones((result, 1))
    else:
        index, weight = _window(node, mode, place, scale)
    if node.integer("exclude_outside", 0):
        weight = np.where((index < 0) | (index >= source), 0.0, weight)
        total = weight.sum(axis=1, keepdims=True)
        weight = weight / np.where(total == 0, 1.0, total)
    weight = np.where(outside[:, None], 0.0, weight)
    bias = np.where(outside, node.real("extrapolation_value", 0.0), 0.0)
    return Taps(index.clip(0, source - 1), weight, bias)


def _coordinates(node: Node, source: int, result: int, scale: float, region: tuple[float, float]) -> Reals:
    """The source position of every output position; in float32 for nearest, where runtimes round it so."""
    kind: Any = np.float32 if node.text("mode", "nearest") == "nearest" else np.float64
    mode = node.text("coordinate_transformation_mode", "half_pixel")
    y: Any = np.arange(result, dtype=kind)
    step, last, half = kind(scale), kind(source - 1), kind(0.5)
    if mode == "asymmetric":
        place = y / step
    elif mode == "align_corners":
        place = y * last / kind(result - 1) if result > 1 else y
    elif mode == "tf_crop_and_resize":
        start, stop = (kind(np.float32(v)) for v in region)
        inner = y * (stop - start) * last / kind(result - 1) if result > 1 else half * (stop - start) * last
        place = inner + start * last + kind(0) * y
    elif mode == "pytorch_half_pixel" and result == 1:
        place = y
    elif mode == "half_pixel_symmetric":
        place = kind(source) * half * (kind(1) - kind(result) / (step * kind(source))) + (y + half) / step - half
    elif mode in ("half_pixel", "pytorch_half_pixel"):
        place = (y + half) / step - half
    else:
        raise Declined(f"coordinate transformation '{mode}'")
    return np.asarray(place, np.float64)


def _nearest(node: Node, place: Reals) -> npt.NDArray[np.int64]:
    mode = node.text("nearest_mode", "round_prefer_floor")
    if mode == "floor":
        return np.floor(place).astype(np.int64)
    if mode == "ceil":
        return np.ceil(place).astype(np.int64)
    if mode == "round_prefer_floor":
        return np.asarray(np.ceil(place.astype(np.float32) - np.float32(0.5)), np.int64)
    return np.asarray(np.floor(place.astype(np.float32) + np.float32(0.5)), np.int64)


def _window(node: Node, mode: str, place: Reals, scale: float) -> tuple[npt.NDArray[np.int64], Reals]:
    """Indices (not yet clipped) and weights of linear or cubic interpolation; antialiasing widens the filter by 1 / scale."""
    shrink = min(scale, 1.0) if node.integer("antialias", 0) else 1.0
    radius = 1 if mode == "linear" else 2
    reach = -int(np.floor(-radius / shrink) + 1)
    below = np.ceil(place).astype(np.int64) - 1
    index = below[:, None] + np.arange(-reach, reach + 2)
    distance = np.abs(index - place[:, None]) * shrink
    weight = np.clip(1 - distance, 0, 1) if mode == "linear" else _cubic(distance, node.real("cubic_coeff_a", -0.75))
    return index, weight / weight.sum(axis=1, keepdims=True)


def _cubic(t: Reals, a: float) -> Reals:
    """R. Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 4 with parameter a."""
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))
