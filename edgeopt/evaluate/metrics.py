"""Measures of error: decisions of a classifier, and signal-to-noise ratios of tensors."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array

MAX_DECIBEL = 200.0
SMALLEST = 1e-9


def decisions(outputs: Array) -> Array:
    """The index of the largest element of each sample of ``outputs`` [samples, ...]."""
    return np.asarray(outputs.reshape(len(outputs), -1).argmax(axis=1))


def accuracy(outputs: Array, labels: Array) -> float:
    """Percent of samples whose decision is the label."""
    return 100.0 * float(np.mean(decisions(outputs) == labels))


def agreement(outputs: Array, reference: Array) -> float:
    """Percent of samples on which both decide the same."""
    return 100.0 * float(np.mean(decisions(outputs) == decisions(reference)))


def signal_to_noise(reference: Array, actual: Array) -> float:
    """10 log10(sum reference^2 / sum (reference - actual)^2) in decibel, at most ``MAX_DECIBEL``."""
    signal = float(np.square(reference, dtype=np.float64).sum())
    noise = float(np.square(reference.astype(np.float64) - actual).sum())
    if noise == 0.0:
        return MAX_DECIBEL
    return min(MAX_DECIBEL, 10.0 * float(np.log10(max(signal, 1e-300) / noise)))


def relative_error(reference: Array, actual: Array) -> float:
    """Root mean square of the difference, relative to that of the reference."""
    return float(10.0 ** (-signal_to_noise(reference, actual) / 20.0))


def divergence(reference: Array, actual: Array) -> float:
    """Mean squared difference of the outputs of each sample, each relative to the spread of its reference.

    A smooth stand-in for disagreement of decisions: it ranks candidates where no decision changes.
    """
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (reference, actual))
    spread = a.var(axis=1) + 1e-12
    return float(np.mean(np.square(a - b).mean(axis=1) / spread))


def decision_divergence(reference: Array, actual: Array) -> float:
    """Mean over samples of the square root of the Kullback-Leibler divergence of the outputs, taken as probabilities of classes.

    Outputs that are probabilities already are taken as they are, others go through a softmax. Unlike ``divergence`` it weighs
    what the decision depends on. The root is in the unit of the error; without it a few samples would make up the mean.
    """
    p, q = (_probabilities(x.reshape(len(x), -1).astype(np.float64)) for x in (reference, actual))
    each = np.sum(p * (np.log(p + SMALLEST) - np.log(q + SMALLEST)), axis=1)
    return float(np.mean(np.sqrt(np.maximum(each, 0.0))))


def _probabilities(outputs: Array) -> Array:
    if outputs.min() >= 0.0 and np.abs(outputs.sum(axis=1) - 1.0).max() < 1e-2:
        return outputs
    raised = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
