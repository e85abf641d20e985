"""Which weights stay: those of all layers together that are worth most, in the units that go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from edgeopt.evaluate.support import Units
from edgeopt.forms.moments import grouped, ungrouped
from edgeopt.forms.prune.patterns import inputs_first
from edgeopt.ir import Array, Node


def fits(node: Node, units: Units) -> bool:
    """Whether blocks or windows fit into the rows of the layer."""
    weight = node.constant(1)
    assert weight is not None
    rows, columns = _matrix(node, weight).shape[1:]
    return bool(rows >= units.rows and columns >= max(units.columns, units.window))


def selected(nodes: Sequence[Node], worth: Mapping[str, Array], units: Units, share: float) -> dict[str, Array]:
    """Masks of the weights that stay: about ``share`` of all, by ``worth`` of each weight, or that share of every window."""
    matrices = {n.name: _matrix(n, worth[n.name]) for n in nodes}
    if units.window:
        masks = {name: _by_windows(matrix, units.window, share) for name, matrix in matrices.items()}
    else:
        masks = _by_blocks(matrices, units, share)
    return {n.name: _array(n, masks[n.name], worth[n.name].shape) for n in nodes}


def _by_blocks(matrices: Mapping[str, Array], units: Units, share: float) -> dict[str, Array]:
    """Of all layers together; of each at least one block stays, or nothing would flow."""
    means = {name: _block_means(matrix, units) for name, matrix in matrices.items()}
    counts = np.concatenate([np.full(m.size, matrices[name].size / m.size) for name, m in means.items()])
    every = np.concatenate([m.reshape(-1) for m in means.values()])
    order = np.argsort(-every, kind="stable")
    last = int(np.searchsorted(np.cumsum(counts[order]), share * counts.sum()))
    bound = every[order[min(last, len(order) - 1)]]
    masks = {}
    for name, mean in means.items():
        keep = mean >= min(bound, mean.max())
        rows, columns = matrices[name].shape[1:]
        masks[name] = keep.repeat(units.rows, 1)[:, :rows].repeat(units.columns, 2)[:, :, :columns]
    return masks


def _block_means(matrix: Array, units: Units) -> Array:
    """Mean worth of the weights in each block of [groups, rows, K]; blocks at the ends may be cut off."""
    groups, rows, columns = matrix.shape
    high, wide = -(-rows // units.rows), -(-columns // units.columns)
    pads = ((0, 0), (0, high * units.rows - rows), (0, wide * units.columns - columns))
    shape = (groups, high, units.rows, wide, units.columns)
    sums = np.pad(matrix, pads).reshape(shape).sum((2, 4))
    return np.asarray(sums / np.pad(np.ones_like(matrix), pads).reshape(shape).sum((2, 4)))


def _by_windows(matrix: Array, window: int, share: float) -> Array:
    """In each window of neighbours in a row the same number stays."""
    groups, rows, columns = matrix.shape
    count = -(-columns // window)
    padded = np.pad(matrix, ((0, 0), (0, 0), (0, count * window - columns)), constant_values=-1.0)
    parts = padded.reshape(groups, rows, count, window)
    rank = np.argsort(np.argsort(-parts, axis=3, kind="stable"), axis=3, kind="stable")
    return np.asarray((rank < round(share * window)).reshape(groups, rows, -1)[:, :, :columns])


def _order(node: Node, columns: int, weight: Array) -> Array:
    return inputs_first(columns, prod(weight.shape[2:]) if node.op == "FusedConv" else 1)


def _matrix(node: Node, weight: Array) -> Array:
    """[groups, rows, K] with the inputs of one tap side by side."""
    rows = grouped(node, weight)
    return rows[:, :, _order(node, rows.shape[2], weight)]


def _array(node: Node, matrix: Array, shape: tuple[int, ...]) -> Array:
    rows = np.empty_like(matrix)
    rows[:, :, _order(node, matrix.shape[2], np.empty(shape))] = matrix
    return np.asarray(ungrouped(node, rows, shape))
