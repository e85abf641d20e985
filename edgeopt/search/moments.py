"""Second moments of the inputs of a layer, which judge every change of its weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.accuracy.batched import padded, patches
from edgeopt.ir import Array, Node
from edgeopt.ops.linear import pads_of

COLUMNS = 1 << 17


@dataclass(frozen=True)
class Moments:
    """Over all samples and positions, by group: ``own`` = E[x x^T], ``cross`` = E[y x^T] and the means of x and y,

    where x are the rounded inputs of a layer and y those it has in float. [groups, K, K] and [groups, K].
    """

    own: Array
    cross: Array
    mean: Array
    reference_mean: Array


def layer_moments(node: Node, rounded: Array, reference: Array) -> Moments:
    """The Moments of a FusedConv or FusedGemm whose first input is ``rounded``, and ``reference`` in float."""
    step = max(1, int(-(-len(rounded) * _positions(node, rounded) // COLUMNS)))
    total: list[Array] = []
    count = 0
    for index in range(0, len(rounded), step):
        x, y = _columns(node, rounded[index : index + 1]), _columns(node, reference[index : index + 1])
        count += x.shape[2]
        parts = [x @ x.transpose(0, 2, 1), y @ x.transpose(0, 2, 1), x.sum(axis=2), y.sum(axis=2)]
        total = [p.astype(np.float64) for p in parts] if not total else [a + b for a, b in zip(total, parts, strict=True)]
    return Moments(*(t / count for t in total))


def grouped(node: Node, weight: Array) -> Array:
    """The weight of ``node`` as [groups, rows, K], in float64."""
    if node.op == "FusedGemm":
        return weight.T[None].astype(np.float64)
    groups = node.integer("group", 1)
    return weight.reshape(groups, len(weight) // groups, -1).astype(np.float64)


def ungrouped(node: Node, rows: Array, shape: tuple[int, ...]) -> Array:
    """Inverse of ``grouped``."""
    return np.ascontiguousarray(rows[0].T) if node.op == "FusedGemm" else rows.reshape(shape)


def _positions(node: Node, x: Array) -> int:
    if node.op == "FusedGemm":
        return max(1, int(x[0].size // x.shape[-1]))
    strides = node.integers("strides", (1, 1))
    return max(1, int(x.shape[2] * x.shape[3] // (strides[0] * strides[1])))


def _columns(node: Node, x: Array) -> Array:
    """Inputs of every output position as [groups, K, positions]."""
    if node.op == "FusedGemm":
        return x.reshape(-1, x.shape[-1]).T[None]
    weight = node.constant(1)
    pads = pads_of(node, 2)
    assert weight is not None and pads is not None
    ones = (1, 1)
    columns = patches(padded(x, pads), weight.shape[2:], node.integers("strides", ones), node.integers("dilations", ones))
    return columns.reshape(node.integer("group", 1), -1, columns.shape[2])
