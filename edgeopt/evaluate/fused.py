"""FusedConv, PReluConv, GatedConv and FusedGemm on many samples: a product per sample, one pass for what follows it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from edgeopt.compiled import compiled
from edgeopt.evaluate.bending import BENDING
from edgeopt.evaluate.loops import Window, columns, depthwise
from edgeopt.evaluate.volumes import convolve, lifted, volume_of
from edgeopt.ir import Array, Node

UNBOUNDED = (-np.inf, np.inf)

_scratch = threading.local()


def fused_conv(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """FusedConv over one to three spatial axes; None for other forms."""
    x, w, bias, residual = (*inputs, None, None, None, None)[:4]
    if not _is_known(node) or x is None or w is None:
        return None
    y = product(node, x, w)
    return None if y is None else _activated(node, y, bias, residual, 1)


def prelu_conv(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """PReluConv, as ``fused_conv``."""
    y, slope = fused_conv(node, inputs[:4]), inputs[4]
    return None if y is None or slope is None else np.where(y < 0, y * slope, y)


def gated_conv(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """GatedConv, as ``fused_conv``."""
    x, gate = inputs[0], inputs[4]
    return None if x is None or gate is None else fused_conv(node, [x * gate, *inputs[1:4]])


def fused_gemm(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """FusedGemm in float32; None for other forms."""
    x, w, bias, residual = (*inputs, None, None, None, None)[:4]
    if not _is_known(node) or x is None or w is None or x.dtype != np.float32:
        return None
    return _activated(node, np.matmul(x, w), bias, residual, -1)


def _is_known(node: Node) -> bool:
    return clipping(node) is not None or node.text("activation", "") in BENDING


def _activated(node: Node, y: Array, bias: Array | None, residual: Array | None, axis: int) -> Array:
    made = finish(y, bias, residual, clipping(node) or UNBOUNDED, axis)
    bend = BENDING.get(node.text("activation", ""))
    return made if bend is None else bend(made, node)


def clipping(node: Node) -> tuple[float, float] | None:
    """The bounds that the activation of ``node`` clips to; None for an activation that bends."""
    kinds = {"": UNBOUNDED, "Relu": (0.0, np.inf), "Clip": (node.real("alpha", 0.0), node.real("beta", 0.0))}
    return kinds.get(node.text("activation", ""))


def finish(y: Array, bias: Array | None, residual: Array | None, bounds: tuple[float, float], axis: int) -> Array:
    """``y`` with bias (along ``axis``), residual and clipping, in place."""
    if bias is None and residual is None and bounds == UNBOUNDED:
        return y
    if residual is not None and residual.shape != y.shape:
        residual = np.broadcast_to(residual, y.shape)
    channels = y.shape[axis]
    offsets = np.zeros(channels, np.float32) if bias is None else np.broadcast_to(bias.reshape(-1), channels)
    inner = 1 if axis == -1 else int(np.prod(y.shape[2:]))
    flat = y.reshape(-1, channels, inner)
    rest = flat if residual is None else np.ascontiguousarray(residual).reshape(flat.shape)
    low, high = np.float32(bounds[0]), np.float32(bounds[1])
    _finish(flat, np.ascontiguousarray(offsets, np.float32), rest, residual is not None, low, high)
    return y


@compiled
def _finish(y, offsets, rest, has_rest, low, high):  # type: ignore[no-untyped-def]
    for n in range(y.shape[0]):
        for c in range(y.shape[1]):
            line, more, offset = y[n, c], rest[n, c], offsets[c]
            if has_rest:
                for i in range(line.size):
                    line[i] = min(max(line[i] + offset + more[i], low), high)
            else:
                for i in range(line.size):
                    line[i] = min(max(line[i] + offset, low), high)


def product(node: Node, x: Array, w: Array) -> Array | None:
    """The convolution alone, of x [N, C, ...] with w [M, C / group, ...] over one to three spatial axes; None for other forms."""
    volume = volume_of(node, w.shape[2:]) if x.ndim == w.ndim and x.dtype == np.float32 else None
    if volume is None:
        return None
    group = node.integer("group", 1)
    y = convolve(lifted(x), lifted(w), volume, lambda a, b, window: _planes(a, b, window, group))
    return y.reshape(*y.shape[:2], *y.shape[-(x.ndim - 2) :])


def _planes(x: Array, w: Array, window: Window, group: int) -> Array:
    """The convolution of x [N, C, H, W] with w [M, C / group, kh, kw]."""
    x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
    if group == x.shape[1] and group > 1:
        return depthwise(x, w, window)
    y = np.empty((len(x), len(w), *window.outputs(*x.shape[2:])), np.float32)
    for source, weight, result in zip(np.split(x, group, 1), np.split(w, group), np.split(y, group, 1), strict=True):
        _dense(source, weight.reshape(len(weight), -1), window, result)
    return y


def _dense(x: Array, matrix: Array, window: Window, y: Array) -> None:
    out = y.reshape(*y.shape[:2], -1) if y.flags.c_contiguous else None
    shape = matrix.shape[1], y.shape[2] * y.shape[3]
    for index, sample in enumerate(x):
        sample = np.ascontiguousarray(sample)
        right = sample.reshape(len(sample), -1) if window.is_point else columns(sample, window, _buffer(shape))
        if out is not None:
            np.dot(matrix, right, out=out[index])
        else:
            y[index] = np.dot(matrix, right).reshape(y.shape[1:])


def _buffer(shape: tuple[int, int]) -> Array:
    """Memory for columns, one block for each thread, so that a convolution allocates its result only."""
    size = shape[0] * shape[1]
    block = getattr(_scratch, "block", None)
    if block is None or block.size < size:
        block = _scratch.block = np.empty(size, np.float32)
    return np.asarray(block[:size].reshape(shape))
