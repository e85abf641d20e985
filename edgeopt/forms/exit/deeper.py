"""Heads with a layer in front of the regression: hidden units on all features, or a small convolution on a grid of means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.forms.exit.layers import Layers, learnt
from edgeopt.ir import Array
from edgeopt.ops.exit_features import Convolved, Features, Grid, Hidden

HIDDEN, WIDEST = 64, 512  # units; features, of which more take minutes to learn from
CHANNELS, KERNEL, SMALLEST = 16, 3, 4  # of the convolution; cells along a side of the grid that it walks over
DENSE = 6  # cells along a side up to which it takes each place, and every second one above
FEWEST = 3  # classes: two need one plane


@dataclass(frozen=True)
class Kind:
    """One kind of layer on what is ``seen``: its ``patches``, number of ``units``, and the features that learnt arrays make."""

    seen: Features
    patches: Callable[[Array], Array]
    units: int
    made: Callable[[Layers], Features]


def kinds(plain: Features, seen: Mapping[Features, Array], shape: Sequence[int]) -> Iterator[Kind]:
    """What to try for a value of ``shape`` of which much is ``seen``; hidden units on what is best without, ``plain``."""
    if seen[plain].shape[1] <= WIDEST:
        yield Kind(plain, lambda x: x[:, None], HIDDEN, lambda layers: Hidden(plain, *layers.first))
    grids = [g for g in seen if isinstance(g, Grid) and g.cells is not None and len(set(g.cells)) == 1 and g.cells[0] >= SMALLEST]
    finest = max(grids, key=lambda g: g.cells or (), default=None)
    if finest is not None and finest.cells is not None:
        yield _convolution(finest, shape[1], finest.cells[0])


def _convolution(grid: Grid, channels: int, side: int) -> Kind:
    step = 1 if side <= DENSE else 2

    def patches(x: Array) -> Array:
        maps = x.reshape(len(x), channels, side, side)
        windows = np.lib.stride_tricks.sliding_window_view(maps, (KERNEL, KERNEL), axis=(2, 3))[:, :, ::step, ::step]
        return windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(x), -1, channels * KERNEL * KERNEL)

    def made(layers: Layers) -> Features:
        weight, bias = layers.first
        return Convolved(grid, weight.T.reshape(-1, channels, KERNEL, KERNEL), bias, step)

    return Kind(grid, patches, CHANNELS, made)


def layers(kind: Kind, x: Array, y: Array, classes: int, seed: int) -> Layers:
    """Learnt from features [samples, features] and their classes."""
    return learnt(x, kind.patches, y, classes, kind.units, seed)


def worth(y: Array, classes: int) -> bool:
    """Whether there is anything that a plane cannot do, and something of each class to learn it from."""
    return classes >= FEWEST and len(np.unique(y)) == classes
