"""What is known of the inputs of each layer: in which directions a change of its weight is felt at its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.evaluate.rounding import damped
from edgeopt.forms.form import Evidence
from edgeopt.forms.moments import Moments, MomentSum, grouped, sampled_rows
from edgeopt.forms.progress import progress
from edgeopt.forms.structure.layer import Layer, layer_of
from edgeopt.ir import Array, Graph, Node

DAMPING = 1e-4  # of the mean square of an input, so that moments have an inverse
STEADY = 1e-2  # the same for what makes up for changed inputs; both chosen by hand

_known: WeakKeyDictionary[Evidence, Mapping[str, Metric]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Metric:
    """``second`` [groups, K, K]: the moments of the inputs, about their ``mean`` [groups, K] where the layer has a bias.

    Where layers before it changed, ``wanted`` [groups, outputs, K] is the weight that comes nearest to the exact responses from
    the inputs that there are now, and ``exact`` the mean of those that there were.
    """

    second: Array
    mean: Array
    wanted: Array | None = None
    exact: Array | None = None
    rows: int = 0  # that the moments are of; 0 where nothing is known

    def layer(self, node: Node) -> Layer:
        """``node`` with the weight that is wanted of it."""
        found = layer_of(node)
        assert found is not None
        return found if self.wanted is None else replace(found, wanted=self.wanted)

    def bias(self, node: Node, made: Array) -> Array | None:
        """The bias of ``node`` that makes up for the mean of what the weight ``made`` changes; None where it has none."""
        bias, weight = node.constant(2), node.constant(1)
        if bias is None or weight is None:
            return None
        before = np.einsum("gnk,gk->gn", grouped(node, weight), self.mean if self.exact is None else self.exact)
        lost = before - np.einsum("gnk,gk->gn", grouped(node, made), self.mean)
        return np.asarray(bias + lost.reshape(-1), np.float32)


def metrics_of(evidence: Evidence) -> Mapping[str, Metric]:
    """The Metric of each layer of the graph by name, computed once for all techniques; empty where there is no data."""
    if evidence.calibration is None:
        return {}
    if evidence not in _known:
        nodes = [n for n in evidence.graph.nodes if layer_of(n) is not None]
        _known[evidence] = metrics(evidence.graph, nodes, evidence.calibration)
    return _known[evidence]


def metrics(graph: Graph, nodes: Sequence[Node], data: DataSet) -> Mapping[str, Metric]:
    """The Metric of each of ``nodes``, which stand in the order of ``graph``, by name."""
    found = {}
    with Lockstep(graph, data, [Overlay()]) as runs:
        for node in progress(nodes, "calibrating"):
            found[node.name] = _metric(node, moments_of(node, runs, len(data)))
    return found


def moments_of(node: Node, runs: Lockstep, samples: int) -> Moments:
    """The Moments of what the first of ``runs`` gives to ``node``, over all ``samples``."""
    total = MomentSum(cross=False)
    for (rows,) in runs.reach(node, lambda batch, arrays: sampled_rows(node, arrays, samples, batch)):
        total.add(rows, rows)
    return total.result()


def _metric(node: Node, moments: Moments) -> Metric:
    own, mean = moments.own, moments.mean
    about = own - mean[:, :, None] * mean[:, None, :] if node.constant(2) is not None else own
    return Metric(damped(about, DAMPING), mean, rows=moments.rows)


def after_changes(node: Node, moments: Moments) -> Metric:
    """The Metric of ``node`` for ``moments`` of the inputs that it has now, with those it had in the exact network."""
    weight, found = node.constant(1), _metric(node, moments)
    assert weight is not None and moments.cross is not None
    about, cross = moments.own, moments.cross
    if node.constant(2) is not None:
        about = about - moments.mean[:, :, None] * moments.mean[:, None, :]
        cross = cross - moments.reference_mean[:, :, None] * moments.mean[:, None, :]
    steady = damped(about, STEADY)  # and so directions without evidence keep their weights
    wanted = np.linalg.solve(steady, (grouped(node, weight) @ (cross + steady - about)).transpose(0, 2, 1)).transpose(0, 2, 1)
    return replace(found, wanted=wanted, exact=moments.reference_mean)


def unweighted(node: Node) -> Metric:
    """All directions alike: errors are those of the weight itself."""
    weight = node.constant(1)
    assert weight is not None
    groups, _, inner = grouped(node, weight).shape
    return Metric(np.broadcast_to(np.eye(inner), (groups, inner, inner)), np.zeros((groups, inner)))
