"""Normalisation by statistics of the data or of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from edgeopt.ir import Node
from edgeopt.training.operators.definition import Operator, Traced


def _column(vector: Traced, rank: int) -> Traced:
    return jnp.reshape(vector, (1, -1, *[1] * (rank - 2)))


def _batch(node: Node, inputs: Sequence[Any]) -> Traced:
    x, scale, offset, mean, variance = inputs
    assert x is not None and variance is not None
    factor = scale / jnp.sqrt(variance + node.real("epsilon", 1e-5))
    return x * _column(factor, x.ndim) + _column(offset - mean * factor, x.ndim)


def _normalized(x: Traced, axes: Sequence[int], epsilon: float) -> Traced:
    centred = x - x.mean(axes, keepdims=True)
    return centred / jnp.sqrt(jnp.square(centred).mean(axes, keepdims=True) + epsilon)


def _layer(node: Node, inputs: Sequence[Any]) -> Traced:
    x, scale, offset = (*inputs, None)[:3]
    assert x is not None
    y = _normalized(x, tuple(range(node.integer("axis", -1) % x.ndim, x.ndim)), node.real("epsilon", 1e-5)) * scale
    return y if offset is None else y + offset


def _rms(node: Node, inputs: Sequence[Any]) -> Traced:
    x, scale = inputs
    assert x is not None
    axes = tuple(range(node.integer("axis", -1) % x.ndim, x.ndim))
    return x / jnp.sqrt(jnp.square(x).mean(axes, keepdims=True) + node.real("epsilon", 1e-5)) * scale


def _instance(node: Node, inputs: Sequence[Any]) -> Traced:
    x, scale, offset = inputs
    assert x is not None
    y = _normalized(x, tuple(range(2, x.ndim)), node.real("epsilon", 1e-5))
    return y * _column(scale, x.ndim) + _column(offset, x.ndim)


def _group(node: Node, inputs: Sequence[Any]) -> Traced:
    """Before opset 21 scale and bias are of groups, then of channels."""
    x, scale, offset = inputs
    assert x is not None and scale is not None
    groups = node.integer("num_groups", 1)
    parts = x.reshape(x.shape[0], groups, -1)
    y = _normalized(parts, (2,), node.real("epsilon", 1e-5)).reshape(x.shape)
    each = x.shape[1] // len(scale)
    return y * _column(jnp.repeat(scale, each), x.ndim) + _column(jnp.repeat(offset, each), x.ndim)


def _mean_variance(node: Node, inputs: Sequence[Any]) -> Traced:
    return _normalized(inputs[0], node.integers("axes", (0, 2, 3)), 1e-9)


def _lrn(node: Node, inputs: Sequence[Any]) -> Traced:
    (x,), size = inputs, node.integer("size", 1)
    assert x is not None
    low = (size - 1) // 2
    window = (1, size, *[1] * (x.ndim - 2))
    pads = ((0, 0), (low, size - 1 - low), *[(0, 0)] * (x.ndim - 2))
    squares = lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1,) * x.ndim, pads)
    return x / (node.real("bias", 1.0) + node.real("alpha", 1e-4) / size * squares) ** node.real("beta", 0.75)


OPERATORS: dict[str, Operator] = {
    "BatchNormalization": _batch,
    "LayerNormalization": _layer,
    "RMSNormalization": _rms,
    "InstanceNormalization": _instance,
    "GroupNormalization": _group,
    "MeanVarianceNormalization": _mean_variance,
    "LRN": _lrn,
}
