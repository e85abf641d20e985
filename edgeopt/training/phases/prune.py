"""Pruning while training: what is worth least goes, a little more at a time, and the rest makes up for it.

A weight is worth w^2 v, v being Adam's second moment of its gradient, which stands for the diagonal of the Fisher information; by
``speed`` this is divided by the multiply-accumulates that the weight costs. The share that stays falls cubically (Zhu and Gupta,
To prune, or not to prune, 2017, equation 1) until half of the phase; from ``FIXED`` on the same weights stay. What went gets no
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from edgeopt.evaluate.support import Units
from edgeopt.forms.prune.patterns import BLOCKS, WINDOWS
from edgeopt.ir import Array, Node
from edgeopt.ops.macs import macs
from edgeopt.training.layers import Layers
from edgeopt.training.phase import FIXED, Key, Phase, State, chooses, weights
from edgeopt.training.selection import fits, selected

FALLS = 0.5  # progress until which the share that stays falls
CHOICES = 64  # of what stays, until it is fixed
WORTHS = ("fisher", "magnitude")
PATTERNS = {"unstructured": Units(), **BLOCKS, **{f"N:{size}": Units(window=size) for size in WINDOWS}}


@dataclass
class Prune(Phase):
    """``keep`` is the share of all weights that stays, in units of ``pattern``; worth is divided by the work ** ``speed``.

    ``worth`` is that of the Fisher information, or the ``magnitude`` alone.
    """

    keep: float
    pattern: str = "unstructured"
    worth: str = "fisher"
    speed: float = 0.0
    share: float = 1.0
    rate: float = 1e-3
    kind: str = "prune"
    normalized: bool = True
    settled = FIXED
    _nodes: list[Node] = field(default_factory=list)
    _work: dict[str, float] = field(default_factory=dict)

    def begin(self, layers: Layers) -> State:
        """Weights and biases, all of which stay at first."""
        self.thins = PATTERNS[self.pattern] == Units()  # blocks and windows have to stay where they are
        self._nodes = [n for n in layers.nodes if fits(n, PATTERNS[self.pattern])]
        self._work = {n.name: max(1.0, float(macs(n) or 1) / layers.constants[n.name, 1].size) for n in self._nodes}
        return State(weights(layers), {("mask", n.name): layers.kept(n.name).astype(np.float32) for n in self._nodes})

    def adapted(self, state: State, moments: Callable[[], Mapping[Key, Array]], last: float, progress: float) -> State:
        """A new choice of what stays, every now and then."""
        if not chooses(last, progress, CHOICES):
            return state
        known = self._told(moments())
        worth = {n.name: self._worth(n.name, state, known) for n in self._nodes}
        masks = selected(self._nodes, worth, PATTERNS[self.pattern], self._staying(progress))
        return replace(state, bound={("mask", name): mask.astype(np.float32) for name, mask in masks.items()})

    def _told(self, moments: Mapping[Key, Array]) -> Mapping[Key, Array]:
        """``moments``, or ones where no layer has any yet: a network that follows itself loses nothing until weights go."""
        keys = [("weight", n.name) for n in self._nodes]
        return moments if any(np.any(moments[key]) for key in keys) else {key: np.ones_like(moments[key]) for key in keys}

    def _staying(self, progress: float) -> float:
        left = 1.0 - min(1.0, progress / FALLS)
        return self.keep + (1.0 - self.keep) * left**3

    def _worth(self, name: str, state: State, moments: Mapping[Key, Array]) -> Array:
        """What went is worth nothing: its moment has faded."""
        weight, moment = (np.asarray(a[("weight", name)], np.float64) for a in (state.trained, moments))
        moment = np.ones_like(moment) if self.worth == "magnitude" else moment
        return np.asarray(np.square(weight) * moment * np.asarray(state.bound[("mask", name)]) / self._work[name] ** self.speed)

    def end(self, state: State, layers: Layers) -> None:
        """Weights with zeros."""
        super().end(state, layers)
        for (_, name), mask in state.bound.items():
            layers.masks[name] = np.asarray(mask) != 0
            layers.forms[name].append(f"{self.pattern} {100 * layers.masks[name].mean():.3g} % kept")
