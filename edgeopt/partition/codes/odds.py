"""What a changed decision is expected to cost, by the network's own probabilities.

Counting right and wrong labels on a few hundred samples tells a loss of a point from none only where it is several points. But a
decision that moves from class a to class b costs p(a) - p(b) on average, if p are the probabilities of labels given the sample
(the conditional mean of the count, after Rao and Blackwell), and decisions move where both are alike. Networks are too sure of
themselves; one temperature fitted to labels mends most of that (Guo et al., On Calibration of Modern Neural Networks, 2017).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from edgeopt.evaluate.intervals import ONE_SIDED
from edgeopt.ir import Array

TEMPERATURES = (-3.0, 3.0)  # natural logarithms of what logits are divided by
SMALLEST = 1e-12  # of a probability, as a logarithm is taken


def odds(outputs: Array, labels: Array) -> Array | None:
    """Probabilities float64 [samples, classes] of a classifier's ``outputs``, logits or probabilities, which fit ``labels`` best.

    None for what is no classifier, or has no finite outputs.
    """
    flat = outputs.reshape(len(outputs), -1).astype(np.float64)
    if flat.shape[1] < 2 or not np.isfinite(flat).all() or labels.min() < 0 or labels.max() >= flat.shape[1]:
        return None
    probabilities = flat.min() >= 0.0 and np.abs(flat.sum(axis=1) - 1.0).max() < 1e-2
    logits = np.log(flat + SMALLEST) if probabilities else flat

    def surprise(log_temperature: float) -> float:
        sure = log_softmax(logits * np.exp(-log_temperature), axis=1)
        return -float(sure[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(surprise, bounds=TEMPERATURES, method="bounded")
    return np.asarray(np.exp(log_softmax(logits * np.exp(-found.x), axis=1)))


def expected_loss(chances: Array, before: Array, after: Array) -> Array:
    """For each sample how much less likely ``after`` is right than ``before``; a decision of -1, which is none, never is."""
    samples = np.arange(len(chances))
    first, second = (np.where(d >= 0, chances[samples, np.maximum(d, 0)], 0.0) for d in (before, after))
    return np.asarray(first - second)


def upper_bound(losses: Array) -> float:
    """A one-sided bound of 95 % of the mean, which is not believed to be a gain."""
    return max(float(losses.mean()), 0.0) + ONE_SIDED * float(losses.std()) / math.sqrt(len(losses))
