"""Compiled loops over the windows of maps: columns of a convolution, sums of a depthwise one, maxima and means of pools.

Maps are [channels, height, width] of one sample, float32 and contiguous. Padding is never materialised; what a window reads
outside of the map is zero, and nothing for a pool. The loops release the interpreter, so samples can run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.compiled import compiled
from edgeopt.ir import Array, Node


@dataclass(frozen=True)
class Window:
    """Where the windows of a convolution or pool lie: pairs (height, width) of each; ``begins`` and ``ends`` are pads."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    begins: tuple[int, int]
    ends: tuple[int, int]
    ceil: bool = False

    def outputs(self, height: int, width: int) -> tuple[int, int]:
        """The number of windows along both axes; one that would start behind the map is left out (ONNX, MaxPool)."""
        return self._count(height, 0), self._count(width, 1)

    def _count(self, size: int, axis: int) -> int:
        free = size + self.begins[axis] + self.ends[axis] - (self.kernel[axis] - 1) * self.dilations[axis] - 1
        step = self.strides[axis]
        count = (-(-free // step) if self.ceil else free // step) + 1
        return count - int(self.ceil and (count - 1) * step >= size + self.begins[axis])

    @property
    def numbers(self) -> tuple[int, ...]:
        """What the loops take: kernel, strides, dilations and begins."""
        return (*self.kernel, *self.strides, *self.dilations, *self.begins)

    @property
    def is_point(self) -> bool:
        """True when every window is one element and every element is a window."""
        return self.numbers[:4] == (1, 1, 1, 1) and not any(self.begins + self.ends)


def window_of(node: Node, kernel: tuple[int, ...]) -> Window | None:
    """The Window of a node with two spatial axes and explicit pads; None for other forms."""
    automatic = node.text("auto_pad", "NOTSET")
    if len(kernel) != 2 or automatic not in ("NOTSET", "VALID"):
        return None
    pads = node.integers("pads", (0,) * 4) if automatic == "NOTSET" else (0,) * 4
    (sh, sw), (dh, dw) = node.integers("strides", (1, 1)), node.integers("dilations", (1, 1))
    top, left, bottom, right = pads
    return Window((kernel[0], kernel[1]), (sh, sw), (dh, dw), (top, left), (bottom, right), bool(node.integer("ceil_mode", 0)))


@compiled
def _span(size, count, offset, stride):  # type: ignore[no-untyped-def]
    """The outputs first..end-1 whose element offset + index * stride lies in the map."""
    first = min(max(0, -(offset // stride)), count)
    return first, max(first, min(count, (size - offset + stride - 1) // stride))


@compiled
def _columns(planes, out, size, windows, numbers):  # type: ignore[no-untyped-def]
    kh, kw, sh, sw, dh, dw, top, left = numbers
    for p in range(kh):
        above = p * dh - top
        first, last = _span(size[0], windows[0], above, sh)
        for q in range(kw):
            before = q * dw - left
            low, high = _span(size[1], windows[1], before, sw)
            start = (first * sh + above) * size[1] + before
            for c in range(len(planes)):
                plane, line = planes[c], out[(c * kh + p) * kw + q]
                line[: first * windows[1]] = 0
                line[last * windows[1] :] = 0
                inside = line[first * windows[1] : last * windows[1]]
                if sh == sw == 1 and size[1] == windows[1]:
                    _run(plane, inside, start, windows[1], low, high)
                else:
                    _strided(plane, inside, start, windows[1], low, high, sh * size[1], sw)


@compiled
def _copy(source, target):  # type: ignore[no-untyped-def]
    """Element by element: places are known not to be negative here, which lets whole vectors move."""
    for i in range(target.size):
        target[i] = source[i]


@compiled
def _run(plane, line, start, width, low, high):  # type: ignore[no-untyped-def]
    """The same place of all windows, whose rows are as long as those of the plane: one copy, but for the ends of rows."""
    _copy(plane[start + low :], line[low : line.size - (width - high)])
    for row in range(0, line.size, width):
        for i in range(row, row + low):
            line[i] = 0
        for i in range(row + high, row + width):
            line[i] = 0


@compiled
def _strided(plane, line, start, width, low, high, pitch, step):  # type: ignore[no-untyped-def]
    for row in range(line.size // width):
        part, begin = line[row * width : (row + 1) * width], start + row * pitch
        for i in range(low):
            part[i] = 0
        if step == 1:
            _copy(plane[begin + low :], part[low:high])
        else:
            for i in range(low, high):
                part[i] = plane[begin + i * step]
        for i in range(high, width):
            part[i] = 0


def columns(x: Array, window: Window, out: Array) -> Array:
    """Every window of x [C, H, W] as a column, in ``out`` [C * kh * kw, windows], ordered as a weight [M, C, kh, kw] is."""
    size = x.shape[1], x.shape[2]
    _columns(x.reshape(len(x), -1), out, size, window.outputs(*size), window.numbers)
    return out


@compiled
def _rows_at(x, out, numbers, width, positions):  # type: ignore[no-untyped-def]
    kh, kw, sh, sw, dh, dw, top, left = numbers
    share = out.shape[2] // (kh * kw)
    for index in range(positions.size):
        first, start = positions[index] // width * sh - top, positions[index] % width * sw - left
        for c in range(x.shape[0]):
            k = c % share * kh * kw
            for p in range(kh):
                row = first + p * dh
                for q in range(kw):
                    column = start + q * dw
                    inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
                    out[c // share, index, k] = x[c, row, column] if inside else np.float32(0)
                    k += 1


def rows_at(x: Array, window: Window, positions: Array, groups: int) -> Array:
    """The windows of x [C, H, W] at ``positions`` (row-major indices), as rows [groups, positions, C / groups * kh * kw]."""
    out = np.empty((groups, len(positions), x.shape[0] // groups * window.kernel[0] * window.kernel[1]), np.float32)
    _rows_at(x, out, window.numbers, window.outputs(*x.shape[1:])[1], positions)
    return out


@compiled
def _depthwise(x, w, y, steps):  # type: ignore[no-untyped-def]
    sh, sw, dh, dw = steps
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                sums = y[n, i, j]
                sums[:] = 0
                for p in range(w.shape[0]):
                    for q in range(w.shape[1]):
                        source, weight = x[n, i * sh + p * dh, j * sw + q * dw], w[p, q]
                        for c in range(sums.size):
                            sums[c] += weight[c] * source[c]


def depthwise(x: Array, w: Array, window: Window) -> Array:
    """The convolution of x [N, C, H, W] with w [C * multiplier, 1, kh, kw], each channel with its own filters.

    Channels lie last meanwhile: loops over them are long where maps are small.
    """
    (top, left), (bottom, right) = window.begins, window.ends
    height, width = x.shape[2:]
    padded = np.zeros((len(x), top + height + bottom, left + width + right, len(w)), np.float32)
    padded[:, top : top + height, left : left + width] = np.repeat(x, len(w) // x.shape[1], 1).transpose(0, 2, 3, 1)
    y = np.empty((len(x), *window.outputs(height, width), len(w)), np.float32)
    _depthwise(padded, np.ascontiguousarray(w[:, 0].transpose(1, 2, 0)), y, (*window.strides, *window.dilations))
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2))


@compiled
def _pool(x, y, counts, numbers, mean):  # type: ignore[no-untyped-def]
    kh, kw, sh, sw, dh, dw, top, left = numbers
    for n in range(y.shape[0]):
        for c in range(y.shape[1]):
            for i in range(y.shape[2]):
                line = y[n, c, i]
                line[:] = 0 if mean else -np.float32(np.inf)
                counts[:] = 0
                for p in range(kh):
                    row = i * sh + p * dh - top
                    if row < 0 or row >= x.shape[2]:
                        continue
                    source = x[n, c, row]
                    for q in range(kw):
                        start = q * dw - left
                        low, high = _span(x.shape[3], y.shape[3], start, sw)
                        if mean:
                            counts[low:high] += 1
                            for j in range(low, high):
                                line[j] += source[j * sw + start]
                        else:
                            for j in range(low, high):
                                line[j] = max(line[j], source[j * sw + start])
                if mean:
                    line /= counts


def pool(x: Array, window: Window, mean: bool) -> Array:
    """The largest element of each window of x [N, C, H, W], or the mean of those that lie in the map."""
    y = np.empty((*x.shape[:2], *window.outputs(*x.shape[2:])), np.float32)
    _pool(np.ascontiguousarray(x), y, np.empty(y.shape[3], np.float32), window.numbers, mean)
    return y
