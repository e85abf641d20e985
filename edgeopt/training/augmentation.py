"""Small changes at random to the inputs of a batch, after which a sample still shows what it showed; and mixtures of samples.

A mixture is no sample of any class, but the original network says something of it, which tells more of what it computes than its
certainty on the samples that it was trained on (Beyer et al., Knowledge distillation: a good teacher is patient and consistent,
2022; Zhang et al., mixup, 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array

CHANGES = ("flip", "shift", "noise", "mix")
SHIFT, NOISE = 0.125, 0.05  # of the width of a map, and of the spread of its values


@dataclass(frozen=True)
class Augmentation:
    """``changes`` are made to each sample; ``shift`` is the most that a map moves by, as a part of its width."""

    changes: tuple[str, ...] = ()
    shift: float = SHIFT

    @property
    def mixes(self) -> bool:
        """Whether samples are mixtures, which no label fits."""
        return "mix" in self.changes


def changed(array: Array, how: Augmentation, rng: np.random.Generator) -> Array:
    """``array`` [samples, ...] with each sample flipped across, shifted along its spatial axes, or with noise."""
    axes = spatial_axes(array.shape)
    made = array
    if "flip" in how.changes:
        flipped = rng.random((len(made), *[1] * (made.ndim - 1))) < 0.5
        made = np.where(flipped, np.flip(made, axes[-1]), made)
    if "shift" in how.changes:
        made = _shifted(made, axes, how.shift, rng)
    if "noise" in how.changes:
        made = made + (NOISE * made.std() * rng.standard_normal(made.shape)).astype(made.dtype)
    return np.ascontiguousarray(made)


def mixed(arrays: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Each sample of all inputs [samples, ...] mixed with another one of the batch, by a share that is drawn from 0 to 1."""
    count = len(next(iter(arrays.values())))
    order, share = rng.permutation(count), rng.random(count)
    shares = {name: share.reshape(-1, *[1] * (a.ndim - 1)).astype(a.dtype) for name, a in arrays.items()}
    return {name: shares[name] * a + (1 - shares[name]) * a[order] for name, a in arrays.items()}


def spatial_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """All axes of maps [samples, ...] but those of samples and channels, which are few: the first or last that is left."""
    return tuple(range(1, len(shape) - 1)) if shape[-1] < shape[1] else tuple(range(2, len(shape)))


def _shifted(array: Array, axes: tuple[int, ...], most: float, rng: np.random.Generator) -> Array:
    """Each sample by up to ``most`` of each of the ``axes``; the nearest values fill in."""
    reach = [int(most * array.shape[axis]) if axis in axes else 0 for axis in range(array.ndim)]
    padded = np.pad(array, [(r, r) for r in reach], mode="edge")
    starts = np.stack([rng.integers(0, 2 * r + 1, len(array)) for r in reach[1:]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, array.shape[1:], tuple(range(1, array.ndim)))
    return np.asarray(windows[(np.arange(len(array)), *starts.T)])
