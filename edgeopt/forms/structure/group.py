"""A dense convolution as one of several groups, its channels shuffled (Zhang et al., ShuffleNet, 2018), where it nearly is that.

Outputs and inputs are put into equally large groups that keep most of the energy of the responses: by their principal directions
first, then in turns, each time the best assignment of all inputs, or outputs, for the groups of the others. What a group of
outputs would get from other inputs is made up for by those that it has, by least squares on responses. A layer with a residual
keeps the order of its outputs. The order of channels costs nothing where a neighbour takes it in.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgeopt.forms.structure.layer import Layer, cheaper, layer_of
from edgeopt.forms.structure.metric import Metric
from edgeopt.forms.structure.technique import Structure
from edgeopt.ir import Array, Node
from edgeopt.ops.chain import Chains, Stage
from edgeopt.ops.macs import macs

KEYS = ("group-8", "group-4", "group-2")
TURNS = 20


def cost(node: Node, key: str) -> int | None:
    """Multiply-accumulates in groups, where the channels divide into them."""
    layer, groups = layer_of(node), _groups(key)
    if layer is None or node.op != "FusedConv" or layer.shape[0] > 1:
        return None
    outputs, inputs, _ = layer.sizes
    whole = outputs % groups == 0 and inputs % groups == 0 and inputs // groups >= 2
    return cheaper(layer, (macs(node) or 0) // groups // layer.rows) if whole else None


def solve(node: Node, key: str, metric: Metric, fit: bool) -> Chains:
    """The groups of inputs and outputs, and what each of them computes."""
    layer, groups = metric.layer(node), _groups(key)
    outputs, inputs, taps = layer.sizes
    felt = np.square(layer.weight[0]) * np.einsum("kk->k", metric.second[0]).reshape(inputs, taps)
    rows, columns = divided(felt.sum(axis=2), groups, node.input(3) is None)
    made, blocks = np.zeros_like(layer.weight), []
    for own, read in zip(rows.reshape(groups, -1), columns.reshape(groups, -1), strict=True):
        block = _regressed(layer, metric, own, read)
        made[0][np.ix_(own, read)] = block
        blocks.append(layer.kernels(block))
    order = None if np.array_equal(columns, np.arange(inputs)) else columns
    stage = Stage((np.concatenate(blocks),), groups, **layer.window, order=order)
    return layer.became(((stage,),), made, metric, None if np.array_equal(rows, np.arange(outputs)) else rows)


def _groups(key: str) -> int:
    return int(key.rsplit("-", 1)[1])


def divided(energy: Array, groups: int, free: bool) -> tuple[Array, Array]:
    """Outputs and inputs of ``energy`` [outputs, inputs] group by group; outputs keep their order unless they are ``free``."""
    kept, best = -1.0, (np.arange(energy.shape[0]), np.arange(energy.shape[1]))
    for outputs in _starts(energy, groups, free):
        for _ in range(TURNS):
            inputs = _assigned(energy.T @ np.eye(groups)[outputs])
            if not free or np.array_equal(after := _assigned(energy @ np.eye(groups)[inputs]), outputs):
                break
            outputs = after
        found = float(energy[outputs[:, None] == inputs[None, :]].sum())
        if found > kept * (1 + 1e-9):
            kept, best = found, (np.argsort(outputs, kind="stable"), np.argsort(inputs, kind="stable"))
    return best


def _starts(energy: Array, groups: int, free: bool) -> Iterator[Array]:
    """Groups of outputs to start from: as they stand, and by the principal directions of what they read."""
    yield np.repeat(np.arange(groups), len(energy) // groups)
    if free:
        from sklearn.cluster import KMeans

        rows = np.sqrt(energy / np.maximum(energy.sum(axis=1, keepdims=True), 1e-30))
        main = np.linalg.svd(rows, full_matrices=False)[0][:, :groups]
        centres = KMeans(groups, n_init=4, random_state=0).fit(main).cluster_centers_
        yield _assigned(-np.square(main[:, None] - centres[None]).sum(axis=2))


def _assigned(gain: Array) -> Array:
    """The group of each row of ``gain`` [rows, groups], equally many in each, with the largest sum."""
    from scipy.optimize import linear_sum_assignment

    size = len(gain) // gain.shape[1]
    _, places = linear_sum_assignment(np.repeat(gain, size, axis=1), maximize=True)
    return np.asarray(places // size)


def _regressed(layer: Layer, metric: Metric, rows: Array, columns: Array) -> Array:
    """The weight [rows, columns, taps] that comes nearest to the responses of ``rows`` from the inputs ``columns`` alone."""
    outputs, inputs, taps = layer.sizes
    flat = layer.weight[0].reshape(outputs, -1)[rows]
    read = (columns[:, None] * taps + np.arange(taps)).reshape(-1)
    second = metric.second[0]
    solved = np.linalg.solve(second[np.ix_(read, read)], second[read] @ flat.T)
    return np.asarray(solved.T.reshape(len(rows), len(columns), taps))


GROUP = Structure(
    name="group",
    about="dense convolutions in groups with shuffled channels, where they nearly are that",
    done="grouped",
    lacks="dense convolution whose channels divide into groups",
    keys=KEYS,
    cost=cost,
    solve=solve,
)
