"""Batch normalisation, put back behind convolutions while they are trained and folded again at the end.

A convolution that lost its batch normalisation to folding trains badly once most of its weights are gone: its outputs drift. So
y = conv(x, W) is normalised by the statistics of the batch, then scaled and shifted, which stands for the bias meanwhile (Ioffe
and Szegedy, Batch Normalization, 2015). Scale and shift start as the spread and mean of what the layer gives now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from edgeopt.ir import Array, Node
from edgeopt.training.layers import Layers
from edgeopt.training.network import Layer
from edgeopt.training.operators.convolution import conv
from edgeopt.training.operators.definition import Traced
from edgeopt.training.operators.layout import channels_first, channels_last
from edgeopt.training.operators.table import activated
from edgeopt.training.phase import Key

EPSILON = 1e-5
CALLS = "calls"  # the axis that calls are mapped over
FEWEST = 5  # convolutions of a network for which it is worth it; chosen by hand
SMALLEST = 16  # samples of a batch, of fewer of which statistics say too little; chosen by hand

Statistics = dict[str, tuple[Traced, Traced]]  # mean and mean square of each channel


def normalizable(layers: Layers, batch: int) -> list[Node]:
    """The convolutions that can be normalised, which have a bias to fold into: those of a deep network, none of a shallow one.

    None either where a ``batch`` is small.
    """
    if batch < SMALLEST:
        return []
    found = [n for n in layers.nodes if n.op == "FusedConv" and n.constant(2) is not None]
    return found if len(found) >= FEWEST else []


def observing(seen: Statistics, nodes: Sequence[Node]) -> Layer:
    """Layers that compute what they always do, and note the statistics of their products."""
    names = {n.name for n in nodes}

    def layer(node: Node, inputs: Sequence[Traced | None]) -> None:
        if node.name in names:
            seen[node.name] = _statistics(channels_last(conv(node, inputs[:2])))

    return layer


def normalizing(trained: Mapping[Key, Traced], seen: Statistics) -> Layer:
    """Layers normalised by the statistics of the batch, which are noted."""

    def layer(node: Node, inputs: Sequence[Traced | None]) -> tuple[Traced, ...] | None:
        if ("scale", node.name) not in trained:
            return None
        y = channels_last(conv(node, inputs[:2]))
        seen[node.name] = mean, square = _statistics(y)
        scale = trained["scale", node.name] / jnp.sqrt(square - jnp.square(mean) + EPSILON)
        made = channels_first(y * scale + (trained["shift", node.name] - mean * scale))
        return activated(node, made, inputs[3] if len(inputs) > 3 else None)

    return layer


def _statistics(y: Traced) -> tuple[Traced, Traced]:
    """Mean and mean square of each channel of [N, ..., C], over all calls."""
    axes = tuple(range(y.ndim - 1))
    return lax.pmean(y.mean(axes), CALLS), lax.pmean(jnp.square(y).mean(axes), CALLS)


def put_back(trained: Mapping[Key, Any], layers: Layers, statistics: Mapping[str, tuple[Array, Array]]) -> dict[Key, Any]:
    """The parameters with scales and shifts in the place of biases."""
    made = dict(trained)
    for name, (mean, square) in statistics.items():
        bias = made.pop(("bias", name), np.zeros_like(mean))
        made["scale", name] = np.sqrt(np.maximum(square - mean**2, 0) + EPSILON).astype(np.float32)
        made["shift", name] = np.asarray(mean + bias, np.float32)
    return made


def folded(trained: Mapping[Key, Any], layers: Layers, statistics: Mapping[str, tuple[Array, Array]]) -> dict[str, Array]:
    """Fold what the normalisation does into the weights and biases of ``layers``; what channels were multiplied by, by layer."""
    factors = {}
    for name, (mean, square) in statistics.items():
        factor = np.asarray(trained["scale", name]) / np.sqrt(np.maximum(square - mean**2, 0) + EPSILON)
        factors[name] = factor = np.maximum(factor, np.finfo(np.float32).tiny).astype(np.float32)
        weight = layers.constants[name, 1]
        layers.constants[name, 1] = (weight * factor.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32)
        layers.constants[name, 2] = np.asarray(np.asarray(trained["shift", name]) - mean * factor, np.float32)
    return factors
