"""Activations that bend, on whole arrays by numpy's vector functions: the reference evaluator takes many times as long."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeopt.ir import Array, Node

Activation = Callable[[Array, Node], Array]
ROOT_HALF = np.float32(0.5**0.5)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), 0 where the exponential is beyond float32."""
    with np.errstate(over="ignore"):
        made = np.exp(-x)
    made += np.float32(1)
    return np.reciprocal(made, out=made)


def silu(x: Array) -> Array:
    """x * sigmoid(x)."""
    made = sigmoid(x)
    made *= x
    return made


def _gelu(x: Array) -> Array:
    from scipy.special import erf  # scipy takes a quarter of a second and 30 MB, and few compilations need it

    made = np.asarray(erf(x * ROOT_HALF))
    made += np.float32(1)
    made *= x * np.float32(0.5)
    return made


def _gate(x: Array, alpha: float, beta: float) -> Array:
    return np.asarray(np.clip(np.float32(alpha) * x + np.float32(beta), np.float32(0), np.float32(1)))


BENDING: dict[str, Activation] = {
    "Gelu": lambda x, node: _gelu(x),
    "HardSigmoid": lambda x, node: _gate(x, node.real("alpha", 0.2), node.real("beta", 0.5)),
    "HardSwish": lambda x, node: x * _gate(x, 1 / 6, 0.5),
    "LeakyRelu": lambda x, node: np.where(x < 0, np.float32(node.real("alpha", 0.01)) * x, x),
    "Sigmoid": lambda x, node: sigmoid(x),
    "Silu": lambda x, node: silu(x),
    "Tanh": lambda x, node: np.tanh(x),
}
