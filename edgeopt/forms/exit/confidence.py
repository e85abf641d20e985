"""How sure a head is of a sample: the largest probability, its distance to the second, or how small the entropy is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgeopt.ir import Array

SMALLEST = 1e-30


def probabilities(logits: Array) -> Array:
    """Softmax of logits [samples, classes]."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def largest(shares: Array) -> Array:
    """The largest probability."""
    return np.asarray(shares.max(axis=1))


def margin(shares: Array) -> Array:
    """The largest probability less the second largest."""
    ordered = np.sort(shares, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def certainty(shares: Array) -> Array:
    """1 less the entropy in units of that of equal probabilities (BranchyNet asks for a small entropy)."""
    entropy = -(shares * np.log(np.maximum(shares, SMALLEST))).sum(axis=1)
    return np.asarray(1 - entropy / np.log(shares.shape[1]))


KINDS: Mapping[str, Callable[[Array], Array]] = {"probability": largest, "margin": margin, "entropy": certainty}
