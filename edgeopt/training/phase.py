"""What a phase of training is: how parameters become the constants of the network, and what binds them on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.training.layers import Layers
from edgeopt.training.network import Parameters, Place, Rounding
from edgeopt.training.operators.definition import Traced

FIXED = 0.7  # progress of a phase from which on what it chooses between steps stays as it is
Key = tuple[str, ...]  # of a parameter: what it is, and of which layer or value


@dataclass(frozen=True)
class State:
    """``trained``: what follows gradients, by key. ``bound``: arrays that a phase may change between the steps."""

    trained: dict[Key, Traced] = field(default_factory=dict)
    bound: dict[Key, Traced] = field(default_factory=dict)


class Phase(ABC):
    """One way to train. Phases follow each other and find in ``Layers`` what those before them left."""

    kind: str
    normalized: bool  # whether batch normalisation may stand in for biases meanwhile
    share: float  # of all steps
    rate: float  # of learning, at its highest
    settled: float = 0.0  # progress from which on the network is what it has to be: before, no state is one to keep
    reads: Sequence[str] = ()  # values inside the network that the loss looks at
    thins: bool = False  # whether channels that nothing reads at the end are gone

    def normalizes(self, layer: str) -> bool:
        """Whether batch normalisation may stand in for the bias of this layer, asked after the beginning."""
        return self.normalized

    @abstractmethod
    def begin(self, layers: Layers) -> State:
        """What there is to train."""

    def constants(self, state: State) -> Parameters:
        """Weights and biases of the network: as they are trained, unless a phase says otherwise; weights that went are zero."""
        return masked(state)

    def rounded(self, state: State) -> Rounding | None:
        """What is done to values on the way: nothing, unless a phase says otherwise."""
        return None

    def penalty(self, state: State) -> Traced:
        """What is added to the loss: nothing, unless a phase says otherwise."""
        return 0.0

    def beside(self, state: State, inside: Sequence[Traced], loss: Callable[[Traced], Traced]) -> Traced:
        """What is added for the values that the phase ``reads``; ``loss`` is that of answers [batch, classes]."""
        return 0.0

    def adapted(self, state: State, moments: Callable[[], Mapping[Key, Array]], last: float, progress: float) -> State:
        """The state after a step that goes from ``last`` to ``progress``, of 0 to 1; ``moments`` gives Adam's second ones."""
        return state

    def end(self, state: State, layers: Layers) -> None:
        """Leave in ``layers`` what was trained."""
        layers.constants.update({place: np.asarray(array) for place, array in self.constants(state).items()})

    def scaled(self, factors: Mapping[str, Array], layers: Layers) -> None:
        """After the end, channels of weights were multiplied by ``factors``: nothing more, unless a phase says so."""
        return None


def chooses(last: float, progress: float, choices: int) -> bool:
    """Whether one of so many ``choices`` until ``FIXED``, evenly apart, falls to the step from ``last`` to ``progress``."""
    before, now = (int(min(share, FIXED) * choices / FIXED) for share in (last, progress))
    return before != now


def weights(layers: Layers) -> dict[Key, Traced]:
    """All weights and biases, as parameters."""
    return {key_of(place): array for place, array in layers.constants.items()}


def key_of(place: Place) -> Key:
    """The parameter that stands for a constant."""
    return ("weight" if place[1] == 1 else "bias", place[0])


def place_of(key: Key) -> Place:
    """The constant that a parameter stands for."""
    return key[1], 1 if key[0] == "weight" else 2


def as_constants(trained: Mapping[Key, Any]) -> dict[Place, Any]:
    """Weights and biases among the parameters, by place."""
    return {place_of(key): array for key, array in trained.items() if key[0] in ("weight", "bias")}


def masks(layers: Layers) -> dict[Key, Traced]:
    """What is left of the layers that were pruned: 1 where a weight stays."""
    return {("mask", name): mask.astype(np.float32) for name, mask in layers.masks.items()}


def masked(state: State) -> dict[Place, Any]:
    """Weights and biases; weights that went are zero."""
    made = as_constants(state.trained)
    return {**made, **{(key[-1], 1): made[key[-1], 1] * mask for key, mask in state.bound.items() if key[0] == "mask"}}
