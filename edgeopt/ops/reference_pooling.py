"""MaxPool, AveragePool and GlobalMaxPool for the reference evaluator, whose own err.

onnx 1.23 mixes up the pads of different axes in its general pooling routine (asymmetric pads give wrong values and shapes), and
reduces the wrong axes in GlobalMaxPool of three spatial axes. MaxPool with its second output stays with onnx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_max_pool import MaxPool as OnnxMaxPool

from edgeopt.ir import Array


@dataclass(frozen=True)
class Window:
    """The windows along one axis: kernel taps, stride, dilation, pads at both ends, number of outputs."""

    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    outputs: int

    def surplus(self, size: int) -> int:
        """Elements behind the padded axis that the last window reads (rounding up), 0 or more."""
        reach = (self.outputs - 1) * self.stride + (self.kernel - 1) * self.dilation + 1
        return max(0, reach - size - self.begin - self.end)


class MaxPool(OnnxMaxPool):
    """Y[n, c, o] = the largest of X[n, c] in the window that starts at o * stride - begin."""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array, ...]:  # type: ignore[override]
        if len([name for name in self.output if name]) > 1:
            found: tuple[Array, ...] = super()._run(x, **attributes)  # type: ignore[no-untyped-call]
            return found
        windows = _windows_of(x.shape[2:], attributes)
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        return (_cut(_padded(x, windows, lowest, lowest), windows).max(axis=_last(windows)),)


class AveragePool(OpRun):
    """Y[n, c, o] = the mean of X[n, c] in the window; pads count as zeros with count_include_pad, else not at all."""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array, ...]:
        windows = _windows_of(x.shape[2:], attributes)
        counted = np.ones((1, 1, *x.shape[2:]), x.dtype)
        counts = _cut(_padded(counted, windows, int(attributes.get("count_include_pad") or 0), 0), windows)
        sums = _cut(_padded(x, windows, 0, 0), windows)
        return ((sums.sum(axis=_last(windows)) / counts.sum(axis=_last(windows))).astype(x.dtype),)


class GlobalMaxPool(OpRun):
    """Y[n, c, 0, ...] = the largest of X[n, c]."""

    def _run(self, x: Array) -> tuple[Array, ...]:
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


def _windows_of(sizes: Sequence[int], attributes: dict[str, Any]) -> list[Window]:
    kernel, rank = attributes["kernel_shape"], len(sizes)
    strides, dilations = (attributes.get(k) or [1] * rank for k in ("strides", "dilations"))
    pads, mode = attributes.get("pads") or [0] * (2 * rank), attributes.get("auto_pad") or "NOTSET"
    up = bool(attributes.get("ceil_mode"))
    axes = zip(sizes, kernel, strides, dilations, pads[:rank], pads[rank:], strict=True)
    return [_window(size, k, s, d, _pads(size, k, s, d, mode, b, e), up) for size, k, s, d, b, e in axes]


def _window(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], up: bool) -> Window:
    """floor or ceil((size + pads - extent) / stride) + 1 outputs; a window that would start behind the input is left out."""
    free = size + sum(pads) - (kernel - 1) * dilation - 1
    outputs = (-(-free // stride) if up else free // stride) + 1
    outputs -= int(up and (outputs - 1) * stride >= size + pads[0])
    return Window(kernel, stride, dilation, *pads, outputs)


def _pads(size: int, kernel: int, stride: int, dilation: int, mode: str, begin: int, end: int) -> tuple[int, int]:
    if mode in ("NOTSET", ""):
        return begin, end
    total = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size) if mode != "VALID" else 0
    return (total - total // 2, total // 2) if mode == "SAME_LOWER" else (total // 2, total - total // 2)


def _padded(x: Array, windows: Sequence[Window], inside: float, behind: float) -> Array:
    """``x`` with ``inside`` in its pads and ``behind`` in what windows read behind the pads."""
    x = np.pad(x, [(0, 0), (0, 0), *((w.begin, w.end) for w in windows)], constant_values=inside)
    surplus = [w.surplus(n - w.begin - w.end) for w, n in zip(windows, x.shape[2:], strict=True)]
    return np.pad(x, [(0, 0), (0, 0), *((0, n) for n in surplus)], constant_values=behind)


def _cut(x: Array, windows: Sequence[Window]) -> Array:
    """All windows: [N, C, outputs..., taps...]."""
    extents = tuple((w.kernel - 1) * w.dilation + 1 for w in windows)
    every = np.lib.stride_tricks.sliding_window_view(x, extents, axis=tuple(range(2, x.ndim)))
    starts = tuple(slice(0, (w.outputs - 1) * w.stride + 1, w.stride) for w in windows)
    return every[(slice(None), slice(None), *starts, *(slice(None, None, w.dilation) for w in windows))]


def _last(windows: Sequence[Window]) -> tuple[int, ...]:
    return tuple(range(-len(windows), 0))
