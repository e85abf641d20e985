"""Sums, means and extremes along axes, and what is built on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from edgeopt.ir import Node
from edgeopt.training.operators.definition import Operator, Traced, axes_of, known

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceL1": lambda x, **axes: jnp.abs(x).sum(**axes),
    "ReduceL2": lambda x, **axes: jnp.sqrt(jnp.square(x).sum(**axes)),
    "ReduceLogSum": lambda x, **axes: jnp.log(x.sum(**axes)),
    "ReduceLogSumExp": lambda x, axis, keepdims: jax.scipy.special.logsumexp(x, axis=axis, keepdims=keepdims),
    "ReduceMax": jnp.max,
    "ReduceMean": jnp.mean,
    "ReduceMin": jnp.min,
    "ReduceProd": jnp.prod,
    "ReduceSum": jnp.sum,
    "ReduceSumSquare": lambda x, **axes: jnp.square(x).sum(**axes),
}


def _reduction(function: Callable[..., Any]) -> Operator:
    def operator(node: Node, inputs: Sequence[Any]) -> Traced:
        x = inputs[0]
        assert x is not None
        axes = axes_of(node, inputs, x.ndim)
        if axes is None and node.integer("noop_with_empty_axes", 0):
            return x
        return function(x, axis=axes or tuple(range(x.ndim)), keepdims=bool(node.integer("keepdims", 1)))

    return operator


def _softmax(function: Callable[..., Any]) -> Operator:
    """Along one axis; before opset 13 over all axes from it on."""

    def operator(node: Node, inputs: Sequence[Any]) -> Traced:
        (x,) = inputs
        assert x is not None
        modern = node.graph is None or node.graph.root.opset >= 13
        axis = node.integer("axis", -1 if modern else 1) % x.ndim
        return function(x, axis=axis) if modern else function(x, axis=tuple(range(axis, x.ndim)))

    return operator


def _lp_normalization(node: Node, inputs: Sequence[Any]) -> Traced:
    (x,), axis = inputs, node.integer("axis", -1)
    norm = jnp.abs(x).sum(axis, keepdims=True) if node.integer("p", 2) == 1 else jnp.sqrt(jnp.square(x).sum(axis, keepdims=True))
    return jnp.where(norm == 0, 0 * x, x / jnp.where(norm == 0, 1, norm))


def _cumsum(node: Node, inputs: Sequence[Any]) -> Traced:
    x, axes = inputs[0], known(node, inputs, 1)
    assert axes is not None
    flipped = jnp.flip(x, axes[0]) if node.integer("reverse", 0) else x
    y = jnp.cumsum(flipped, axes[0])
    y = y - flipped if node.integer("exclusive", 0) else y
    return jnp.flip(y, axes[0]) if node.integer("reverse", 0) else y


def _arg(function: Callable[..., Any]) -> Operator:
    def operator(node: Node, inputs: Sequence[Any]) -> Traced:
        axis, keep = node.integer("axis", 0), bool(node.integer("keepdims", 1))
        return function(inputs[0], axis=axis, keepdims=keep).astype(jnp.int32)

    return operator


OPERATORS: dict[str, Operator] = {
    **{name: _reduction(function) for name, function in REDUCTIONS.items()},
    "Softmax": _softmax(jax.nn.softmax),
    "LogSoftmax": _softmax(jax.nn.log_softmax),
    "LpNormalization": _lp_normalization,
    "CumSum": _cumsum,
    "ArgMax": _arg(jnp.argmax),
    "ArgMin": _arg(jnp.argmin),
}
