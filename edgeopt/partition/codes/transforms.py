"""What a tensor is turned into before it is rounded: itself, its principal components, or what tells the classes apart."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from edgeopt.ir import Array
from edgeopt.partition.codes.code import Transform
from edgeopt.partition.codes.layout import Layout

KEPT = 1e-6  # of the variance, below which a direction is noise of float32
RIDGE = 1e-3  # of the mean variance, added to every direction before classes are told apart


def as_it_is(layout: Layout) -> Transform:
    """No transform."""
    return Transform("plain", layout, np.zeros(layout.channels, np.float32))


def rotation(layout: Layout, values: Array) -> Transform | None:
    """The principal directions of the channels of ``values`` [samples, ...]; all of them, since channels that are left out

    would cost more accuracy than coarse steps. None for a single channel.
    """
    if layout.channels < 2:
        return None
    mean, covariance = _moments(layout, values)
    variances, directions = np.linalg.eigh(covariance)
    order = np.argsort(-variances)[: int(np.count_nonzero(variances > KEPT * max(variances[-1], 1e-30))) or 1]
    forward = np.ascontiguousarray(directions[:, order].T, np.float32)
    name = "rotation" if layout.axis is not None else "rotation of all"
    return Transform(name, layout, mean.astype(np.float32), forward, np.ascontiguousarray(forward.T))


def discriminant(layout: Layout, values: Array, classes: Array) -> Transform | None:
    """Linear discriminant analysis (Fisher): the directions, one less than classes, in which class means differ most against

    the spread within classes; back by least squares. None unless the tensor is one vector and there are several classes.
    """
    present = np.unique(classes)
    if layout.maps != (1, 1) or len(present) < 2 or layout.channels <= len(present):
        return None
    x = layout.opened(values)[:, :, 0, 0].astype(np.float64)
    mean, covariance = _moments(layout, values)
    if not np.trace(covariance) > 0:  # a tensor that is always the same tells nothing apart
        return None
    means = np.stack([x[classes == c].mean(axis=0) for c in present]) - mean
    shares = np.array([np.mean(classes == c) for c in present])
    between = (means * shares[:, None]).T @ means
    within = covariance - between
    within += RIDGE * np.trace(covariance) / len(within) * np.eye(len(within))
    _, directions = eigh(between, within, subset_by_index=(len(within) - len(present) + 1, len(within) - 1))
    z = directions.T @ covariance @ directions
    backward = np.linalg.solve(z, directions.T @ covariance).T
    scale = np.linalg.norm(backward, axis=0)  # so that one step costs the same error in every direction
    return Transform("discriminant", layout, mean.astype(np.float32), _single((directions * scale).T), _single(backward / scale))


def _moments(layout: Layout, values: Array) -> tuple[Array, Array]:
    """Mean [channels] and covariance [channels, channels] over samples and places."""
    x = layout.opened(values).astype(np.float64)
    flat = np.moveaxis(x, 1, 0).reshape(layout.channels, -1)
    mean = flat.mean(axis=1)
    flat = flat - mean[:, None]
    return mean, flat @ flat.T / flat.shape[1]


def _single(array: Array) -> Array:
    return np.ascontiguousarray(array, np.float32)
