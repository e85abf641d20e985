"""Confidence intervals of shares of samples, and of the difference of two shares on the same samples; 95 %, in percent."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

from edgeopt.ir import Array

Z = 1.959963985  # the quantile of the normal distribution that leaves 2.5 % above it
ONE_SIDED = 1.645  # standard errors of a one-sided bound of 95 %
UNLIKELY = 0.1  # what a one-sided bound of 90 % leaves above it
FIRST = -1  # in place of how many networks were refused


def share_interval(right: int, samples: int) -> tuple[float, float]:
    """Of ``right`` out of ``samples`` (Wilson, Probable Inference, 1927). Raises ValueError for no samples."""
    if samples < 1:
        raise ValueError("there are no samples")
    share, weight = right / samples, Z * Z / samples
    middle = (share + weight / 2) / (1 + weight)
    half = Z * sqrt(share * (1 - share) / samples + weight / (4 * samples)) / (1 + weight)
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def drop_interval(before: Array, after: Array, networks: int = 1) -> tuple[float, float]:
    """Of the percentage points by which ``after`` is right less often than ``before``, truth values of the same samples.

    Where ``after`` is of the best of several ``networks``, the intervals of all hold together (Bonferroni).
    Samples are paired: those that both get right or wrong say little (Agresti, Min, Simple improved confidence intervals for
    comparing matched proportions, 2005).
    """
    lost = float(np.sum(before & ~after)) + 0.5
    won = float(np.sum(after & ~before)) + 0.5
    samples = len(before) + 2
    middle = (lost - won) / samples
    half = NormalDist().inv_cdf(1 - 0.025 / networks) * sqrt(max(0.0, lost + won - (lost - won) ** 2 / samples)) / samples
    return 100 * max(-1.0, middle - half), 100 * min(1.0, middle + half)


def drop_bound(before: Array, after: Array, unlikely: float = UNLIKELY, others: tuple[int, int, int] = (0, 0, 0)) -> float:
    """Percentage points that are lost of as many other samples, more than which is as ``unlikely``; 0 where nothing changes.

    An approximation does not make a network better: more right decisions than before are chance. Half a sample is for counts
    being whole. How many decisions turn wrong, and right, is known the better, the more ``others``, (turned wrong, turned right,
    of how many), are known. That these lose less does not make up for what is lost here.
    """
    lost, won = float(np.sum(before & ~after)), float(np.sum(after & ~before))
    part = len(before) / (len(before) + others[2])
    net = max(lost - won, part * (lost - won + others[0] - others[1]))
    spread = sqrt(max(0.0, part * (lost + won - (lost - won) ** 2 / len(before) + others[0] + others[1])))
    return 100 * (max(0.0, net) + max(0.0, NormalDist().inv_cdf(1 - unlikely) * spread - 0.5)) / len(before)


def weighs_too_much(samples: int, max_drop: float) -> bool:
    """Whether one of so many samples is more than the budget, or than a point: that none is lost says little there."""
    return max(max_drop, 1.0) * samples < 100


def unlikely_after(refused: int) -> float:
    """What a bound leaves above it once so many networks were ``refused`` by theirs; ``FIRST``: of the first network of all.

    Who goes from one network that is accepted to the next, in an order that samples did not choose, is as seldom wrong at all as
    with one of them: only where one is refused and others are tried instead has chance another occasion (Wiens, A fixed
    sequence Bonferroni procedure for testing multiple endpoints, 2003). The first network has 0.1, as it is asked for by itself;
    the two occasions of a climb, until the second refusal, share as much; all later ones together half of it.
    """
    return UNLIKELY if refused == FIRST else UNLIKELY / max(2, refused * (refused + 1))
