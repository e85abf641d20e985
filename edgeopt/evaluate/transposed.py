"""Transposed convolution on many samples, and the convolution that it is: of the map with zeros between its pixels.

    ConvTranspose(x, w, stride s) = Conv(spread(x), w mirrored, stride 1)

Sums are taken tap by tap, one matrix product each, without the zeros; what the layer multiplies is read from the spread map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from edgeopt.evaluate.fused import UNBOUNDED, finish
from edgeopt.ir import Array, Node


@dataclass(frozen=True)
class Axis:
    """One spatial axis: taps, stride, dilation, the results left out in front, and the number of results."""

    taps: int
    stride: int
    dilation: int
    front: int
    results: int

    @property
    def reach(self) -> int:
        """From the first to the last result of one input."""
        return (self.taps - 1) * self.dilation


def conv_transpose(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """ConvTranspose in float32 with explicit pads; None for other forms."""
    x, w, bias = (*inputs, None, None, None)[:3]
    axes = axes_of(node, x.shape[2:], w.shape[2:]) if x is not None and w is not None and x.dtype == np.float32 else None
    if axes is None or x is None or w is None:
        return None
    group, count, sizes = node.integer("group", 1), len(x), x.shape[2:]
    rows = x.reshape(count, group, x.shape[1] // group, -1)
    whole = [max(a.front + a.results, (n - 1) * a.stride + a.reach + 1) for a, n in zip(axes, sizes, strict=True)]
    sums = np.zeros((count, group * w.shape[1], *whole), np.float32)
    for tap in product(*(range(a.taps) for a in axes)):
        weight = w[inner(tap)].reshape(group, -1, w.shape[1]).transpose(0, 2, 1)
        firsts = [k * a.dilation for k, a in zip(tap, axes, strict=True)]
        places = [slice(f, f + (n - 1) * a.stride + 1, a.stride) for f, n, a in zip(firsts, sizes, axes, strict=True)]
        sums[inner(places)] += np.matmul(weight, rows).reshape(count, -1, *sizes)
    kept = sums[inner([slice(a.front, a.front + a.results) for a in axes])]
    return finish(np.ascontiguousarray(kept), bias, None, UNBOUNDED, 1)


def inner(places: Sequence[int | slice]) -> tuple[Any, ...]:
    """The index that takes ``places`` along the last axes."""
    return (..., *places)


def axes_of(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> list[Axis] | None:
    """The axes of a ConvTranspose of maps of ``sizes``; None where its padding follows from the size of its result."""
    if node.text("auto_pad", "NOTSET") != "NOTSET" or node.integers("output_shape"):
        return None
    rank = len(kernel)
    strides, dilations = node.integers("strides", (1,) * rank), node.integers("dilations", (1,) * rank)
    pads, more = node.integers("pads", (0,) * 2 * rank), node.integers("output_padding", (0,) * rank)
    free = [s * (n - 1) + (k - 1) * d + 1 for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)]
    results = [f + m - a - b for f, m, a, b in zip(free, more, pads[:rank], pads[rank:], strict=True)]
    return [Axis(*numbers) for numbers in zip(kernel, strides, dilations, pads[:rank], results, strict=True)]


def spread(node: Node, x: Array, kernel: Sequence[int]) -> Array:
    """x [N, C, ...] with zeros between its pixels and around them, so that every window of ``kernel`` gives one result."""
    axes = axes_of(node, x.shape[2:], kernel)
    assert axes is not None
    made = np.zeros((*x.shape[:2], *(a.results + a.reach for a in axes)), x.dtype)
    taken, places = [], []
    for axis, size, length in zip(axes, x.shape[2:], made.shape[2:], strict=True):
        at = axis.reach - axis.front + axis.stride * np.arange(size)
        inside = (at >= 0) & (at < length)
        taken.append(np.flatnonzero(inside))
        places.append(at[inside])
    whole = [range(n) for n in x.shape[:2]]
    made[np.ix_(*whole, *places)] = x[np.ix_(*whole, *taken)]
    return made


def mirrored(weight: Array, group: int) -> Array:
    """The weight [M, C / group, ...] of that convolution, from [C, M / group, ...]; it is its own inverse."""
    split = weight.reshape(group, -1, *weight.shape[1:]).swapaxes(1, 2)
    return np.flip(split.reshape(-1, *split.shape[2:]), tuple(range(2, weight.ndim)))
