"""Scattered weights of a matrix product as permuting kernels read them: windows of inputs, of which each output picks its own.

16 outputs walk together. In one step each takes one weight and, by the place of that in the window, one input. A window has as
many steps as the fullest of its 16 rows has weights, so rows that keep the same number of weights in each window (N:M) waste
none. ``depth`` steps are a round, which loads the window once; what fills up a round is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.sparse.entries import HEIGHT, Entries

DEPTHS = (1, 2, 3, 4, 6, 8)  # steps of a round that there is a choice of
Arrange = Callable[[Array], Array]
STEP, ROUND = 1.5, 2.5  # issue slots of a step and of a round besides, about


def window_starts(inputs: int, window: int) -> Array:
    """The first input of each window; the last one ends with the inputs."""
    firsts = np.arange(0, inputs, window)
    firsts[-1] = inputs - window
    return firsts


def steps_of(matrix: Array, rows: Sequence[int], window: int, each: int = 1) -> Array:
    """The steps of each window [rows of 16 outputs, windows] of ``matrix`` [outputs, inputs]; a step takes ``each`` weights."""
    used = np.add.reduceat(matrix != 0, np.arange(0, matrix.shape[1], window), axis=1, dtype=np.int64)
    return np.stack([-(-used[row : row + HEIGHT].max(axis=0) // each) for row in rows])


def best_depth(steps: Array, step: float = STEP) -> int:
    """The steps of a round that make the least work; ``step``: the issue slots of each."""
    return min(DEPTHS, key=lambda depth: int((-(-steps // depth)).sum()) * (depth * step + ROUND))


def pack(
    matrix: Array, rows: Sequence[int], window: int, depth: int, each: int = 1, arrange: Arrange | None = None, lowest: int = 0
) -> Entries:
    """The rounds of ``rows`` of 16 outputs of ``matrix`` [outputs, inputs], each with the offset of its window.

    The words of a round are ``depth`` times 16 outputs times ``each`` weights, in their type, and as many bytes: the places in
    the window, counted from ``lowest``. ``arrange`` moves those of a step, [steps, 16, ``each``], to the order they are read in.
    """
    firsts, counts = window_starts(matrix.shape[1], window), -(-steps_of(matrix, rows, window, each) // depth)
    weights, offsets, starts = [], [], [0]
    for row, rounds in zip(rows, counts, strict=True):
        total = max(1, int(rounds.sum()))
        shape = (total * depth, HEIGHT, each)
        values, places = np.zeros(shape, matrix.dtype), np.zeros(shape, np.uint8)
        lanes, inputs = np.nonzero(matrix[row : row + HEIGHT])
        at = inputs // window
        ranks = _ranks(lanes * len(firsts) + at)
        cells = ranks // each + (np.cumsum(rounds) - rounds)[at] * depth, lanes, ranks % each
        values[cells], places[cells] = matrix[row + lanes, inputs], inputs - firsts[at] + lowest
        parts = (values, places) if arrange is None else (arrange(values), arrange(places))
        words = [np.ascontiguousarray(part).reshape(total, -1).view(np.uint32) for part in parts]
        line = np.zeros(total + 1, np.uint32)
        line[0], line[1 : 1 + rounds.sum()] = total, np.repeat(firsts, rounds)
        weights.append(np.concatenate(words, axis=1))
        offsets.append(line)
        starts.append(starts[-1] + total)
    return Entries(np.concatenate(weights), np.concatenate(offsets), np.array(starts, np.int32))


def _ranks(keys: Array) -> Array:
    """How many of the same come before each of ``keys``, which rise."""
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    return np.arange(keys.size) - np.repeat(begins, np.diff(begins, append=keys.size))
