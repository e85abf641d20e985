"""Pools: the largest, the mean or the norm of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from edgeopt.ir import Node
from edgeopt.training.operators.definition import Operator, Traced
from edgeopt.training.operators.layout import channels_first, channels_last
from edgeopt.training.operators.windows import Windows, windows_of


def max_pool(node: Node, inputs: Sequence[Any]) -> Traced:
    """MaxPool, its values only."""
    (x,) = inputs
    return _reduced(x, _of(node, x), -jnp.inf, lax.max)


def average_pool(node: Node, inputs: Sequence[Any]) -> Traced:
    """AveragePool; what lies behind the pads, where the last window is cut off, is never counted."""
    (x,) = inputs
    assert x is not None
    windows, rank = _of(node, x), x.ndim - 2
    declared = node.integers("pads", [0] * 2 * rank)
    counted = jnp.ones(x.shape, x.dtype)
    if node.integer("count_include_pad", 0):
        pads = [(0, 0), (0, 0), *((declared[i], declared[i + rank]) for i in range(rank))]
        rest = tuple((0, max(0, windows.pads[i][1] - declared[i + rank])) for i in range(rank))
        counted = jnp.pad(counted, pads, constant_values=1.0)
        windows_of_counts = Windows(windows.kernel, windows.strides, windows.dilations, rest)
        return _reduced(x, windows, 0.0, lax.add) / _reduced(counted, windows_of_counts, 0.0, lax.add)
    return _reduced(x, windows, 0.0, lax.add) / _reduced(counted, windows, 0.0, lax.add)


def global_pool(mean: bool) -> Operator:
    """GlobalAveragePool or GlobalMaxPool."""

    def pool(node: Node, inputs: Sequence[Any]) -> Traced:
        (x,) = inputs
        assert x is not None
        x, axes = channels_last(x), tuple(range(1, x.ndim - 1))
        return channels_first(x.mean(axes, keepdims=True) if mean else x.max(axes, keepdims=True))

    return pool


def norm_pool(node: Node, inputs: Sequence[Any]) -> Traced:
    """LpPool, or GlobalLpPool over whole maps."""
    (x,), power = inputs, float(node.integer("p", 2))
    raised = jnp.abs(x) ** power
    if node.op == "GlobalLpPool":
        return raised.sum(tuple(range(2, x.ndim)), keepdims=True) ** (1 / power)
    return _reduced(raised, _of(node, x), 0.0, lax.add) ** (1 / power)


def _of(node: Node, x: Traced) -> Windows:
    return windows_of(node, x.shape[2:], node.integers("kernel_shape"))


def _reduced(x: Traced, windows: Windows, start: float, by: object) -> Traced:
    window, strides, dilations = ((1, *each, 1) for each in (windows.kernel, windows.strides, windows.dilations))
    pads = ((0, 0), *windows.pads, (0, 0))
    return channels_first(lax.reduce_window(channels_last(x), start, by, window, strides, pads, window_dilation=dilations))


OPERATORS: dict[str, Operator] = {
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_pool(mean=True),
    "GlobalMaxPool": global_pool(mean=False),
    "LpPool": norm_pool,
    "GlobalLpPool": norm_pool,
}
