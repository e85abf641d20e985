"""Groups of layers that share channels which can go: the layers that write one sum, and what is added up with it in turn.

Channels of a group that are made by the same layers are of one *kind*. Of each kind the same share goes, so that all layers stay
balanced, and what stays are whole vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeopt.forms.structure.layer import layer_of
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.channels import Channels
from edgeopt.ops.macs import macs


@dataclass(frozen=True, eq=False)
class Group:
    """Names of the layers that make the channels, of depthwise ones that they pass and of those that mix them, and the classes

    of each kind.
    """

    makers: tuple[str, ...]
    followers: tuple[str, ...]
    readers: tuple[str, ...]
    kinds: tuple[Array, ...]

    def counts(self, share: int, vector: int) -> tuple[int, ...]:
        """How many channels of each kind go when about ``share`` percent shall and whole vectors of ``vector`` stay."""
        return tuple(len(kind) - _kept(len(kind), share, vector) for kind in self.kinds)


def _kept(size: int, share: int, vector: int) -> int:
    return min(size, max(vector, round(size * (100 - share) / 100 / vector) * vector))


def groups_of(graph: Graph, channels: Channels) -> dict[str, Group]:
    """The groups by the first of their makers. Layers whose inputs cannot be judged keep all of them."""
    fixed, nodes = channels.fixed.copy(), {n.name: n for n in graph.nodes}
    for name, classes in channels.readers.items():
        if layer_of(nodes[name]) is None:
            fixed[classes] = True
    read = np.zeros_like(fixed)
    for classes in channels.readers.values():
        read[classes] = True
    free = {name: np.unique(classes[~fixed[classes] & read[classes]]) for name, classes in channels.makers.items()}
    return {names[0]: _group(names, free, channels) for names in _connected(free)}


def _connected(free: Mapping[str, Array]) -> list[tuple[str, ...]]:
    """The layers that share classes with each other, directly or by others, in the order of the graph."""
    found: list[tuple[list[str], set[int]]] = []
    for name, classes in free.items():
        mine = set(classes.tolist())
        sharing = [part for part in found if part[1] & mine]
        found = [part for part in found if not part[1] & mine]
        names = [n for part in sharing for n in part[0]]
        found += [([*names, name], mine.union(*(part[1] for part in sharing)))] if mine else []
    order = {name: index for index, name in enumerate(free)}
    return [tuple(sorted(names, key=order.__getitem__)) for names, _ in found]


def _group(makers: tuple[str, ...], free: Mapping[str, Array], channels: Channels) -> Group:
    made: dict[int, list[str]] = {}
    for name in makers:
        for one in free[name].tolist():
            made.setdefault(one, []).append(name)
    kinds: dict[tuple[str, ...], list[int]] = {}
    for one, by in made.items():
        kinds.setdefault(tuple(by), []).append(one)
    readers = [name for name, classes in channels.readers.items() if np.isin(classes, list(made)).any()]
    filters = [(n, cuts[0][1]) for (n, index), cuts in channels.operands.items() if index == 1 and n in channels.depthwise]
    passed = [name for name, classes in filters if np.isin(classes, list(made)).any()]
    return Group(makers, tuple(passed), tuple(readers), tuple(np.array(kind) for kind in kinds.values()))


def remaining_work(node: Node, channels: Channels, gone: Array) -> float:
    """Multiply-accumulates of a layer without the classes that are ``gone`` (a mark for each class)."""
    work = float(macs(node) or 0)
    for _, classes in channels.operands.get((node.name, 1), []):
        work *= 1 - float(gone[classes].mean())
    return work
