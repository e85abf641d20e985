"""Measures of error: decisions of a classifier, and signal-to-noise ratios of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.ir import Array

MAX_DECIBEL = 200.0
SMALLEST = 1e-9


def decisions(outputs: Array) -> Array:
    """The index of the largest element of each sample of ``outputs`` [samples, ...]; -1 where NaN or infinity leave none."""
    flat = outputs.reshape(len(outputs), -1)
    found = np.asarray(flat.argmax(axis=1), np.int64)
    if flat.dtype.kind == "f":
        found[(np.isnan(flat) | np.isposinf(flat)).any(axis=1)] = -1
    return found


def accuracy(outputs: Array, labels: Array) -> float:
    """Percent of samples whose decision is the label; a sample without a decision is wrong."""
    return 100.0 * float(np.mean(decisions(outputs) == labels))


def agreement(outputs: Array, reference: Array) -> float:
    """Percent of samples on which both decide the same; a sample on which either has no decision counts as different.

    Where a sample is a single number there is nothing to decide: then it is how near the numbers are (``closeness``).
    """
    if reference[0].size == 1:
        return closeness(outputs, reference)
    made, wanted = decisions(outputs), decisions(reference)
    return 100.0 * float(np.mean((made == wanted) & (made >= 0)))


def closeness(outputs: Array, reference: Array) -> float:
    """100 less the root mean square of the difference in percent of the spread of ``reference`` over the samples, at least 0.

    For integers and truth values the percentage that is equal.
    """
    if reference.dtype.kind != "f":
        return 100.0 * float(np.mean(outputs == reference))
    wanted = reference.astype(np.float64)
    spread = float(wanted.std()) or float(np.abs(wanted).mean())
    error = float(np.sqrt(np.mean(np.square(_differences(reference, outputs)))))
    share = error / spread if spread else float(error > 0)
    return 100.0 * max(0.0, 1.0 - share) if np.isfinite(share) else 0.0


def _differences(reference: Array, actual: Array) -> Array:
    """``reference`` - ``actual`` in float64; 0 where both are the same infinity."""
    a, b = reference.astype(np.float64), actual.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, a - b)


def signal_to_noise(reference: Array, actual: Array) -> float:
    """10 log10(sum reference^2 / sum (reference - actual)^2) in decibel, between plus and minus ``MAX_DECIBEL``.

    Infinities that both have are left out; NaN, or an infinity in one alone, is the worst there is.
    """
    finite = np.where(np.isinf(reference), 0, reference)
    signal = float(np.square(finite, dtype=np.float64).sum())
    noise = float(np.square(_differences(reference, actual)).sum())
    if noise == 0.0:
        return MAX_DECIBEL
    if not np.isfinite(noise):
        return -MAX_DECIBEL
    return float(np.clip(10.0 * np.log10(max(signal, 1e-300) / noise), -MAX_DECIBEL, MAX_DECIBEL))


def relative_error(reference: Array, actual: Array) -> float:
    """Root mean square of the difference, relative to that of the reference."""
    return float(10.0 ** (-signal_to_noise(reference, actual) / 20.0))


def divergence(reference: Array, actual: Array) -> float:
    """Mean squared difference of the outputs of each sample, each relative to the spread of its reference.

    A smooth stand-in for disagreement of decisions: it ranks candidates where no decision changes. NaN counts as infinite.
    """
    a = reference.reshape(len(reference), -1).astype(np.float64)
    spread = np.where(np.isfinite(a), a, 0.0).var(axis=1) + 1e-12
    squares = np.square(_differences(a, actual.reshape(a.shape)))
    return _worst_for_nan(np.mean(squares.mean(axis=1) / spread))


def decision_divergence(reference: Array, actual: Array) -> float:
    """Mean over samples of the square root of the Kullback-Leibler divergence of the outputs, taken as probabilities of classes.

    Outputs that are probabilities already are taken as they are, others go through a softmax. Unlike ``divergence`` it weighs
    what the decision depends on. The root is in the unit of the error; without it a few samples would make up the mean. NaN
    counts as infinite.
    """
    p, q = (_probabilities(x.reshape(len(x), -1).astype(np.float64)) for x in (reference, actual))
    each = np.sum(p * (np.log(p + SMALLEST) - np.log(q + SMALLEST)), axis=1)
    return _worst_for_nan(np.mean(np.sqrt(np.maximum(each, 0.0))))


def _worst_for_nan(error: np.floating[Any]) -> float:
    """``error``, and infinity in place of NaN: a comparison with NaN is false, which would make it look better than any other."""
    return float("inf") if np.isnan(error) else float(error)


def _probabilities(outputs: Array) -> Array:
    if outputs.min() >= 0.0 and np.abs(outputs.sum(axis=1) - 1.0).max() < 1e-2:
        return outputs
    with np.errstate(invalid="ignore"):  # NaN is the answer where infinities are
        raised = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))
