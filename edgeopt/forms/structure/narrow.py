"""Rules for whole modules: fewer hidden channels between the layers that make them and those that read them.

Channels go one after the other, each time the one whose loss costs least when the layers that read the rest make up for it by
least squares on responses (the optimal brain surgeon, Hassibi and Stork, 1993, for whole channels). A rule says which modules
there are; ``fire_module`` and ``inverted_bottleneck`` are two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.forms.structure.layer import layer_of
from edgeopt.forms.structure.metric import Metric, unweighted
from edgeopt.forms.structure.technique import Structure
from edgeopt.ir import Array, Node
from edgeopt.ops.layer import weight
from edgeopt.ops.macs import macs
from edgeopt.ops.narrowed import Narrowed
from edgeopt.passes import narrow
from edgeopt.rewrite import Pass

VECTOR = 8  # hidden channels are kept by eights, since kernels work on vectors of them


@dataclass(frozen=True)
class Module:
    """``makers`` compute the hidden channels, each from the one before it; all ``readers`` read the last of them."""

    makers: tuple[Node, ...]
    readers: tuple[Node, ...]

    @property
    def hidden(self) -> int:
        """The number of hidden channels."""
        return len(weight(self.makers[0]))


Match = Callable[[Node], Module | None]  # the module that is known by a node


class Narrowing(Structure):
    """The technique of a rule: ``match`` finds its modules, ``kind`` names its forms, by the share of channels that is kept."""

    def __init__(self, name: str, kind: str, about: str, lacks: str, match: Match, shares: Sequence[int] = (50, 75)) -> None:
        keys = tuple(f"{kind}-{share}" for share in shares)
        super().__init__(name, about, "narrowed", lacks, keys, self._cost, _never, passes=("narrow",), joint=False)
        self._match = match

    def _cost(self, node: Node, key: str) -> int | None:
        """Multiply-accumulates of the whole module with fewer channels."""
        module, share = self._match(node), int(key.rsplit("-", 1)[1])
        if module is None or any(layer_of(n) is None for n in (*module.makers, *module.readers)):
            return None
        count = _count(module, share)
        before = sum(macs(n) or 0 for n in (*module.makers, *module.readers))
        return before * count // module.hidden if 0 < count < module.hidden else None

    def solved(self, node: Node, key: str, known: Mapping[str, Metric]) -> Narrowed:
        """The channels that are kept, and the weights and biases of their readers."""
        module = self._match(node)
        assert module is not None
        metrics = [known.get(reader.name) or unweighted(reader) for reader in module.readers]
        blocks = [_blocks(reader) for reader in module.readers]
        count = _count(module, int(key.rsplit("-", 1)[1]))
        kept, found = eliminated([(w, m.second[0]) for w, m in zip(blocks, metrics, strict=True)], count)
        readers = {}
        for reader, metric, made in zip(module.readers, metrics, found, strict=True):
            new = made.reshape(len(made), len(kept), *weight(reader).shape[2:]).astype(np.float32)
            full = np.zeros_like(weight(reader))
            full[:, kept] = new
            readers[reader.name] = (new, metric.bias(reader, full) if reader.name in known else None)
        return Narrowed(kept, module.hidden, tuple(n.name for n in module.makers), readers)

    def carried_out(self, solution: Mapping[str, Any]) -> Pass:
        """The pass for whole modules."""
        return narrow.make(solution)


def _never(node: Node, key: str, metric: Metric, fit: bool) -> Any:
    raise AssertionError("modules are solved as a whole")


def _count(module: Module, share: int) -> int:
    return module.hidden * share // 100 // VECTOR * VECTOR


def _blocks(reader: Node) -> Array:
    """The weight [outputs, channels, taps] in float64."""
    w = weight(reader)
    return w.reshape(*w.shape[:2], -1).astype(np.float64)


def eliminated(readers: Sequence[tuple[Array, Array]], count: int) -> tuple[Array, list[Array]]:
    """The ``count`` channels that are left, and the weights [outputs, count, taps] that each reader has for them then.

    ``readers`` are weights [outputs, channels, taps] with the second moments [channels taps, channels taps] of what they read.
    """
    alive = np.arange(readers[0][0].shape[1])
    state = [(w, np.linalg.inv(second)) for w, second in readers]
    while len(alive) > count:
        worst = int(np.argmin(np.sum([_rises(w, inverse) for w, inverse in state], axis=0)))
        state = [_without(w, inverse, worst) for w, inverse in state]
        alive = np.delete(alive, worst)
    return alive, [w for w, _ in state]


def _rises(w: Array, inverse: Array) -> Array:
    """What the squared error of the responses grows by when each single channel goes."""
    _, channels, taps = w.shape
    own = np.arange(channels)
    blocks = np.linalg.inv(inverse.reshape(channels, taps, channels, taps)[own, :, own])
    return np.asarray(np.einsum("nci,cij,ncj->c", w, blocks, w, optimize=True))


def _without(w: Array, inverse: Array, channel: int) -> tuple[Array, Array]:
    outputs, channels, taps = w.shape
    gone = np.arange(channel * taps, (channel + 1) * taps)
    rest = np.setdiff1d(np.arange(channels * taps), gone)
    shares = np.linalg.solve(inverse[np.ix_(gone, gone)], inverse[np.ix_(gone, rest)])
    flat = w.reshape(outputs, -1)
    made = (flat[:, rest] - flat[:, gone] @ shares).reshape(outputs, channels - 1, taps)
    return made, inverse[np.ix_(rest, rest)] - inverse[np.ix_(rest, gone)] @ shares
