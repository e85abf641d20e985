"""Two layers of a head, learnt by stochastic gradients: one over patches of a map, or over all features, then a regression.

z = relu(patches(x) W + b) V + c        patches [samples, places, inputs], W [inputs, units], V [units x places, classes]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeopt.forms.exit.confidence import probabilities
from edgeopt.ir import Array

UPDATES, BATCH, RATE, DECAY = 1200, 200, 2e-3, 5e-4  # of Adam; the decay is that of the weights, chosen by hand
FIRST, SECOND, SMALL = 0.9, 0.999, 1e-8  # Kingma and Ba, Adam, 2015

Patches = Callable[[Array], Array]  # features [samples, features] -> [samples, places, inputs]


@dataclass(frozen=True, eq=False)
class Layers:
    """``first`` (weight [inputs, units], bias [units]) on patches, ``last`` (weight [units x places, classes], bias [classes])

    on what it gives.
    """

    first: tuple[Array, Array]
    last: tuple[Array, Array]

    def logits(self, patches: Array) -> Array:
        """[samples, classes] of patches [samples, places, inputs]."""
        return np.asarray(self.hidden(patches) @ self.last[0] + self.last[1])

    def hidden(self, patches: Array) -> Array:
        """[samples, units x places], the places of a unit side by side, as in a map with channels first."""
        made = np.maximum(patches @ self.first[0] + self.first[1], 0.0)
        return np.asarray(made.transpose(0, 2, 1).reshape(len(patches), -1))


def learnt(x: Array, patches: Patches, y: Array, classes: int, units: int, seed: int) -> Layers:
    """From features [samples, features] and their classes [samples], by cross entropy; the rate falls to nothing at the end."""
    rng = np.random.default_rng(seed)
    mean, scale = _spread(patches(x[: 10 * BATCH]))
    places, inputs = patches(x[:1]).shape[1:]
    weights = [_drawn(rng, inputs, units), np.zeros(units, np.float32), _drawn(rng, units * places, classes)]
    weights.append(np.zeros(classes, np.float32))
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for step in range(UPDATES):
        chosen = rng.integers(0, len(y), BATCH)
        gradients = _gradients(weights, (patches(x[chosen]) - mean) / scale, y[chosen])
        _update(weights, gradients, moments, step)
    first, bias, last, end = weights
    return Layers((first / scale[:, None], bias - (mean / scale) @ first), (last, end))


def _spread(patches: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each input of a patch, over samples and places."""
    flat = patches.reshape(-1, patches.shape[-1])
    return flat.mean(axis=0), flat.std(axis=0) + 1e-6


def _drawn(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    return np.asarray(rng.standard_normal((inputs, outputs)) * np.sqrt(2.0 / inputs), np.float32)


def _gradients(weights: list[Array], patches: Array, y: Array) -> list[Array]:
    """Of the mean cross entropy and the decay, by the weights."""
    first, _, last, _ = weights
    layers = Layers((weights[0], weights[1]), (weights[2], weights[3]))
    hidden = layers.hidden(patches)
    error = probabilities(hidden @ last + weights[3])
    error[np.arange(len(y)), y] -= 1.0
    error /= len(y)
    back = ((error @ last.T) * (hidden > 0)).reshape(len(y), first.shape[1], -1).transpose(0, 2, 1).reshape(-1, first.shape[1])
    flat = patches.reshape(-1, patches.shape[-1])
    return [flat.T @ back + DECAY * first, back.sum(axis=0), hidden.T @ error + DECAY * last, error.sum(axis=0)]


def _update(weights: list[Array], gradients: list[Array], moments: list[tuple[Array, Array]], step: int) -> None:
    """One step of Adam, in place."""
    rate = RATE * (1.0 - step / UPDATES) * np.sqrt(1 - SECOND ** (step + 1)) / (1 - FIRST ** (step + 1))
    for weight, gradient, (first, second) in zip(weights, gradients, moments, strict=True):
        first += (1 - FIRST) * (gradient - first)
        second += (1 - SECOND) * (gradient * gradient - second)
        weight -= np.asarray(rate * first / (np.sqrt(second) + SMALL), np.float32)
