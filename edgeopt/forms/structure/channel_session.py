"""The session of ``prune_channels``: chooses channels in the exact network, then fits all readers once more in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.errors import output_errors
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.moments import MomentSum, grouped, sampled_rows, ungrouped
from edgeopt.forms.progress import progress
from edgeopt.forms.structure.channel_groups import Group, groups_of, remaining_work
from edgeopt.forms.structure.channel_saliency import Reader, least_salient, trusted
from edgeopt.forms.structure.metric import Metric, after_changes, metrics_of, unweighted
from edgeopt.forms.structure.session import StructureSession
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.channels import channels_of
from edgeopt.passes import prune, prune_channels
from edgeopt.rewrite import Context, run_pass

if TYPE_CHECKING:
    from edgeopt.forms.structure.prune_channels import PruneChannels

Refitted = tuple[Array, Array | None]  # weight, whose inputs that are gone have zeros, and bias


@dataclass(frozen=True, eq=False)
class Removed:
    """The classes that are ``gone`` of a group, and the weights and biases that its readers have then, by name."""

    gone: Array
    readers: Mapping[str, Refitted]

    def constants(self, name: str) -> dict[tuple[str, int], Array]:
        """What the exact graph would need to compute the same."""
        pairs = [((reader, i), a) for reader, arrays in self.readers.items() for i, a in enumerate(arrays, 1)]
        return {place: array for place, array in pairs if array is not None}

    @property
    def bytes(self) -> int:
        """Of the weights of the readers that are left."""
        return sum(4 * int(np.count_nonzero(weight)) for weight, _ in self.readers.values())


class ChannelSession(StructureSession):
    """A layer is the first of a group."""

    def __init__(self, technique: PruneChannels, evidence: Evidence, keys: Sequence[str]) -> None:
        self._channels, self._vector = channels_of(evidence.graph), evidence.vector
        self._groups = groups_of(evidence.graph, self._channels)
        self._work_of = [n for n in evidence.graph.nodes if (n.name, 1) in self._channels.operands]
        self._solutions: dict[object, dict[str, Removed]] = {}
        super().__init__(technique, evidence, keys)

    def _costs(self, node: Node) -> dict[str, int]:
        """The work of all layers with fewer channels, where any can go; ones of a kind are as good as others for that."""
        group, found = self._groups.get(node.name), {}
        for key in self._keys if group is not None else ():
            assert group is not None
            gone, counts = np.zeros(len(self._channels.fixed), bool), group.counts(_share(key), self._vector)
            for kind, count in zip(group.kinds, counts, strict=True):
                gone[kind[:count]] = True
            if any(counts):
                found[key] = int(sum(remaining_work(n, self._channels, gone) for n in self._work_of))
        return found

    def shares(self, layer: str) -> Mapping[str, float]:
        """Depthwise layers whole; half of layers that make channels or mix them, whose other channels are another group's."""
        group = self._groups[layer]
        found = dict.fromkeys(group.followers, 1.0)
        for name in (*group.makers, *group.readers):
            found[name] = found.get(name, 0.0) + 0.5
        return found

    def _fit(self, wanted: Sequence[tuple[str, str]]) -> None:
        self._metrics = metrics_of(self._evidence)
        for name, key in progress([w for w in wanted if w not in self._known], f"fitting {self._technique.name}"):
            self._known[name, key] = self._removed(self._groups[name], key)

    def _removed(self, group: Group, key: str) -> Removed:
        """What goes for the inputs of the exact network, and what readers make of the rest."""
        nodes = [self._nodes[name] for name in group.readers]
        metrics = [self._metrics.get(n.name) or unweighted(n) for n in nodes]
        rows = [grouped(node, _weight(node))[0] for node in nodes]
        seconds = [trusted(metric.second[0], metric.rows) for metric in metrics]
        readers = [Reader(w, second, self._inputs_of(n)) for n, w, second in zip(nodes, rows, seconds, strict=True)]
        gone = least_salient(readers, group.kinds, group.counts(_share(key), self._vector))
        made = {}
        for node, metric, reader in zip(nodes, metrics, readers, strict=True):
            made[node.name] = _changed(node, reader.weight[None], metric if node.name in self._metrics else None)
        return Removed(gone, made)

    def _inputs_of(self, node: Node) -> Array:
        """The class of each column of the weight of a reader."""
        classes = self._channels.readers[node.name]
        return np.repeat(classes, grouped(node, _weight(node)).shape[2] // len(classes))

    def solve(self, forms: Mapping[str, Form], under: Overlay) -> dict[str, Removed]:
        """The channels that go by themselves, and their readers fitted in a network in which all of them are gone."""
        alone = {name: made for name, made in self.alone(forms).items() if isinstance(made, Removed)}
        if self._evidence.calibration is None:
            return alone
        key = frozenset(forms.items())  # no technique of an axis before, nor another one of this, changes anything ``under`` it
        if key not in self._solutions:
            fitted = self._fitted({name: made.gone for name, made in alone.items()}, under)
            layers = {name: (*self._groups[name].readers, *self._groups[name].followers) for name in alone}
            groups = {name: {layer: fitted[layer] for layer in names} for name, names in layers.items()}
            self._solutions[key] = {name: replace(made, readers=groups[name]) for name, made in alone.items()}
        return self._solutions[key]

    def _fitted(self, gone: Mapping[str, Array], under: Overlay) -> dict[str, Refitted]:
        graph, data, lost = self._evidence.graph, self._evidence.calibration, np.zeros(len(self._channels.fixed), bool)
        assert data is not None
        lost[np.concatenate(list(gone.values()))] = True
        names = {layer for name in gone for layer in (*self._groups[name].readers, *self._groups[name].followers)}
        changed, found = replace(under, constants=dict(under.constants)), dict[str, Refitted]()
        with Lockstep(graph, data, [Overlay(), changed]) as runs:
            for node in progress([n for n in graph.nodes if n.name in names], "fitting in order"):
                metric = _metric(node, runs, len(data))
                kept = ~lost[self._inputs_of(node)] if node.name in self._channels.readers else None
                found[node.name] = _refitted(node, metric, kept)
                changed.constants.update(Removed(lost, {node.name: found[node.name]}).constants(""))
        return found

    def errors(self, solution: Mapping[str, Removed]) -> Mapping[str, float]:  # type: ignore[override]
        """The largest of the readers of each group, measured on the inputs."""
        readers = {reader for made in solution.values() for reader in made.readers}
        found = output_errors(self._evidence.graph, readers, self.overlay(solution), self.inputs)
        return {name: max(found[reader] for reader in made.readers) for name, made in solution.items()}

    def carry_out(self, graph: Graph, solution: Mapping[str, Removed], context: Context) -> None:  # type: ignore[override]
        """Zeros for what goes, and then without it."""
        readers = {name: arrays for made in solution.values() for name, arrays in made.readers.items()}
        run_pass(graph, prune.make(readers), context)
        run_pass(graph, prune_channels.make(self._channels, {name: made.gone for name, made in solution.items()}), context)


def _share(key: str) -> int:
    return int(key.rsplit("-", 1)[1])


def _weight(node: Node) -> Array:
    weight = node.constant(1)
    assert weight is not None
    return weight


def _changed(node: Node, rows: Array, metric: Metric | None) -> Refitted:
    """With the rows [groups, outputs, K] of its weight."""
    made = np.asarray(ungrouped(node, rows, _weight(node).shape), np.float32)
    return made, metric.bias(node, made) if metric is not None else None


def _metric(node: Node, runs: Lockstep, samples: int) -> Metric:
    """What ``node`` reads in the changed network, with the weight that it would want if it read all of it."""
    total = MomentSum(cross=True)
    for exact, now in runs.reach(node, lambda batch, arrays: sampled_rows(node, arrays, samples, batch)):
        total.add(now, exact)
    return after_changes(node, total.result())


def _refitted(node: Node, metric: Metric, kept: Array | None) -> Refitted:
    """The weight on the inputs ``kept``, all if None, that comes nearest to the exact responses, near what is wanted of all."""
    wanted = metric.wanted
    assert wanted is not None
    if kept is None:
        return _changed(node, wanted, metric)
    second, rows = trusted(metric.second[0], metric.rows), np.zeros_like(wanted)
    rows[0][:, kept] = np.linalg.solve(second[np.ix_(kept, kept)], second[kept] @ wanted[0].T).T
    return _changed(node, rows, metric)
