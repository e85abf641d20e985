"""The costly standard operators on many samples at once, for calibration and accuracy runs.

Every function computes what the ONNX operator of its name defines; the tests hold them to ``onnx.reference``. Convolution is a
matrix product over columns, depthwise convolution and rounding are compiled loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod

import numpy as np
from numba import njit

from edgeopt.ir import Array, Node

PATCH_BYTES = 4 << 20
Batched = Callable[[Node, Sequence[Array | None]], Array | None]


@njit(cache=True)  # type: ignore[misc, unused-ignore]
def _depthwise(x, w, y, strides, dilations):  # type: ignore[no-untyped-def]
    samples, channels, height, width = y.shape
    multiplier = channels // x.shape[1]
    for item in range(samples * channels):
        n, c = item // channels, item % channels
        for i in range(height):
            for j in range(width):
                total = np.float32(0)
                for p in range(w.shape[2]):
                    for q in range(w.shape[3]):
                        row, column = i * strides[0] + p * dilations[0], j * strides[1] + q * dilations[1]
                        total += x[n, c // multiplier, row, column] * w[c, 0, p, q]
                y[n, c, i, j] = total


@njit(cache=True)  # type: ignore[misc, unused-ignore]
def _round_to_grid(x, y, scale, zero, low, high):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        code = np.rint(x[i] / scale) + zero
        code = min(max(code, low), high)
        y[i] = np.float32(code - zero) * scale


def round_to_grid(x: Array, scale: float, zero: int, low: int, high: int) -> Array:
    """DequantizeLinear(QuantizeLinear(x)) with codes in [low, high], per tensor."""
    flat = np.ascontiguousarray(x, np.float32).reshape(-1)
    y = np.empty_like(flat)
    _round_to_grid(flat, y, np.float32(scale), np.float32(zero), np.float32(low), np.float32(high))
    return y.reshape(x.shape)


def _spatial(node: Node, rank: int) -> tuple[list[int], list[int], list[int]] | None:
    if node.text("auto_pad", "NOTSET") != "NOTSET":
        return None
    ones = [1] * rank
    pads, strides = node.integers("pads", [0] * 2 * rank), node.integers("strides", ones)
    return list(pads), list(strides), list(node.integers("dilations", ones))


def padded(x: Array, pads: Sequence[int], value: float = 0.0) -> Array:
    """``x`` with its spatial axes enlarged (begins, then ends)."""
    rank = len(pads) // 2
    return np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)], constant_values=value) if any(pads) else x


def taps(x: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[Array]:
    """The strided view of a padded map x [N, C, H, W] under each element of the kernel, each [N, C, OH, OW]."""
    size = [(d - (k - 1) * e - 1) // s + 1 for d, k, s, e in zip(x.shape[2:], kernel, strides, dilations, strict=True)]
    last = [(n - 1) * s + 1 for n, s in zip(size, strides, strict=True)]
    corners = [(p * dilations[0], q * dilations[1]) for p in range(kernel[0]) for q in range(kernel[1])]
    return [x[:, :, i : i + last[0] : strides[0], j : j + last[1] : strides[1]] for i, j in corners]


def patches(x: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Array:
    """Columns [N, C * kh * kw, OH * OW] of a padded map x [N, C, H, W], ordered as a weight [M, C, kh, kw] is."""
    views = taps(x, kernel, strides, dilations)
    columns = np.empty((len(x), x.shape[1], len(views), *views[0].shape[2:]), x.dtype)
    for index, view in enumerate(views):
        columns[:, :, index] = view
    return columns.reshape(len(x), x.shape[1] * len(views), -1)


def conv(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Conv over two spatial axes with explicit pads; None for other forms."""
    x, w, bias = inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None
    form = _spatial(node, 2) if x is not None and x.ndim == 4 and x.dtype == np.float32 else None
    if form is None or x is None or w is None:
        return None
    pads, strides, dilations = form
    group, x = node.integer("group", 1), padded(x, pads)
    y = _depth(x, w, strides, dilations) if group == x.shape[1] and group > 1 else _groups(x, w, group, strides, dilations)
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def _depth(x: Array, w: Array, strides: list[int], dilations: list[int]) -> Array:
    y = np.empty((len(x), w.shape[0], *taps(x, w.shape[2:], strides, dilations)[0].shape[2:]), np.float32)
    _depthwise(np.ascontiguousarray(x), np.ascontiguousarray(w), y, np.array(strides), np.array(dilations))
    return y


def _groups(x: Array, w: Array, group: int, strides: list[int], dilations: list[int]) -> Array:
    parts = zip(np.split(x, group, 1), np.split(w, group, 0), strict=True)
    results = [_dense(a, b, strides, dilations) for a, b in parts]
    return results[0] if group == 1 else np.concatenate(results, 1)


def _dense(x: Array, w: Array, strides: list[int], dilations: list[int]) -> Array:
    matrix, size = w.reshape(len(w), -1), taps(x, w.shape[2:], strides, dilations)[0].shape[2:]
    y = np.empty((len(x), len(w), prod(size)), np.float32)
    step = max(1, PATCH_BYTES // (4 * matrix.shape[1] * prod(size)))
    for start in range(0, len(x), step):
        columns = patches(x[start : start + step], w.shape[2:], strides, dilations)
        for index, column in enumerate(columns):
            np.dot(matrix, column, out=y[start + index])
    return y.reshape(len(x), len(w), *size)


def max_pool(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """MaxPool over two spatial axes without ceil mode; None for other forms."""
    x = inputs[0]
    form = _spatial(node, 2) if x is not None and x.ndim == 4 else None
    if form is None or x is None or node.integer("ceil_mode", 0) or len(node.outputs) > 1:
        return None
    pads, strides, dilations = form
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    views = taps(padded(x, pads, lowest), node.integers("kernel_shape"), strides, dilations)
    return np.asarray(reduce(np.maximum, views))


def average_pool(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """AveragePool over two spatial axes without padding or ceil mode; None for other forms."""
    x = inputs[0]
    form = _spatial(node, 2) if x is not None and x.ndim == 4 else None
    if form is None or x is None or node.integer("ceil_mode", 0) or any(form[0]):
        return None
    views = taps(x, node.integers("kernel_shape"), form[1], form[2])
    return np.asarray(reduce(np.add, views) / np.float32(len(views)))


def matmul(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """MatMul by BLAS."""
    a, b = inputs[0], inputs[1]
    return None if a is None or b is None else np.matmul(a, b)


def add(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Add."""
    a, b = inputs[0], inputs[1]
    return None if a is None or b is None else np.add(a, b)


def relu(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Relu."""
    return None if inputs[0] is None else np.maximum(inputs[0], inputs[0].dtype.type(0))


def clip(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Clip with bounds given as inputs."""
    x, low, high = (*inputs, None, None)[:3]
    return None if x is None or low is None or high is None else np.clip(x, low, high)


def identity(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Identity."""
    return inputs[0]


BATCHED: dict[str, Batched] = {
    "Add": add,
    "AveragePool": average_pool,
    "Clip": clip,
    "Conv": conv,
    "Identity": identity,
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Relu": relu,
}
