"""How far two sets of outputs lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from edgeopt.ir import Array


@dataclass(frozen=True)
class Difference:
    """Of one output over all samples: ``error`` and the share of equal decisions.

    ``error`` is the largest absolute error as a share of the expected output's range (at least a hundredth of its largest
    magnitude: a smaller range is rounding noise). 8-bit integers may be one step off without error. It is infinite when shapes
    differ or only one side has a NaN or an infinity. ``decisions`` compares the position of the maximum along the last axis;
    None for outputs without several classes.
    """

    output: str
    error: float
    decisions: float | None


def compare(expected: Sequence[Mapping[str, Array]], actual: Sequence[Mapping[str, Array]]) -> list[Difference]:
    """One Difference per output; ``expected`` and ``actual`` hold one mapping from output to array per sample."""
    return [_difference(name, [e[name] for e in expected], [a.get(name) for a in actual]) for name in expected[0]]


def _difference(name: str, expected: Sequence[Array], actual: Sequence[Array | None]) -> Difference:
    pairs = [(e, a) for e, a in zip(expected, actual, strict=True) if a is not None and a.shape == e.shape]
    if len(pairs) < len(expected):
        return Difference(name, float("inf"), None)
    worst = max(_largest_error(e, a) for e, a in pairs)
    reach = _reach(expected)
    same = np.concatenate([_decisions(e, a) for e, a in pairs])
    return Difference(name, worst / reach if reach > 0 else worst, float(same.mean()) if same.size else None)


def _largest_error(expected: Array, actual: Array) -> float:
    if expected.dtype == np.dtype(object):
        return 0.0 if np.array_equal(expected, actual) else float("inf")
    e, a = np.asarray(expected, np.float64), np.asarray(actual, np.float64)
    finite = np.isfinite(e)
    if not np.array_equal(e[~finite], a[~finite], equal_nan=True) or not np.isfinite(a[finite]).all():
        return float("inf")
    worst = float(np.abs(e[finite] - a[finite]).max(initial=0.0))
    return 0.0 if expected.dtype in (np.int8, np.uint8) and worst <= 1 else worst


def _reach(expected: Sequence[Array]) -> float:
    numbers = [np.asarray(e, np.float64).ravel() for e in expected if e.dtype != np.dtype(object)]
    every = np.concatenate(numbers or [np.empty(0)])
    every = every[np.isfinite(every)]
    return max(float(np.ptp(every)), float(np.abs(every).max()) / 100) if every.size else 0.0


def _decisions(expected: Array, actual: Array) -> npt.NDArray[np.bool_]:
    if expected.dtype.kind not in "fiu" or expected.ndim == 0 or expected.shape[-1] < 2 or expected.size == 0:
        return np.empty(0, np.bool_)
    return np.asarray(np.argmax(expected, -1) == np.argmax(actual, -1)).ravel()
