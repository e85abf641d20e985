"""The forms of pruned weights: which weights go together, by which measure they go, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgeopt.evaluate.support import Units
from edgeopt.ir import Array

Measure = Literal["second-order", "magnitude", "activation"]
PERCENT = (30, 50, 60, 70, 75, 80, 85, 90, 92, 94, 96)  # of the weights that go; the rounds in which they do
BLOCKS = {"16x1": Units(16, 1), "4x1": Units(4, 1), "16x4": Units(16, 4), "4x4": Units(4, 4)}  # outputs x inputs
WINDOWS = {4: (3, 2, 1), 32: (24, 16, 12, 8, 4, 2)}  # inputs in a row -> how many of them stay, round by round
UNSTRUCTURED = Units()
GLOBAL = "global"  # the family that has one threshold of magnitude for all layers


@dataclass(frozen=True)
class PruneForm:
    """A family of forms, and which of its rounds is meant. ``shares`` are the weights that stay after each round."""

    key: str
    family: str
    units: Units
    measure: Measure
    shares: tuple[float, ...]
    round: int


def _levels(family: str, units: Units, measure: Measure = "second-order") -> list[PruneForm]:
    shares = tuple(1 - p / 100 for p in PERCENT)
    return [PruneForm(f"{family}-{p}", family, units, measure, shares, i) for i, p in enumerate(PERCENT)]


def _windows(size: int) -> list[PruneForm]:
    stay = WINDOWS[size]
    shares, units = tuple(n / size for n in stay), Units(window=size)
    return [PruneForm(f"{n}:{size}", f"N:{size}", units, "second-order", shares, i) for i, n in enumerate(stay)]


FORMS: dict[str, PruneForm] = {
    form.key: form
    for form in (
        *_levels("unstructured", UNSTRUCTURED),
        *(form for name, units in BLOCKS.items() for form in _levels(name, units)),
        *(form for size in WINDOWS for form in _windows(size)),
        *_levels("magnitude", UNSTRUCTURED, "magnitude"),
        *_levels("activation", UNSTRUCTURED, "activation"),
        *_levels(GLOBAL, UNSTRUCTURED, "magnitude"),
    )
}


def denser(key: str) -> Sequence[str]:
    """The forms of the same family that take fewer weights, the sparsest first."""
    form = FORMS[key]
    return [f.key for f in reversed(FORMS.values()) if f.family == form.family and f.round < form.round]


def inputs_first(columns: int, taps: int) -> Array:
    """The order of ``columns`` (inputs x taps of the window) in which inputs are neighbours, as blocks and windows take them."""
    return np.arange(columns).reshape(-1, taps).T.reshape(-1)
