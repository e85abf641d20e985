"""Resize as what it is, a matrix along each axis; the matrices come from the reference, so that every mode is as it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Node
from edgeopt.ops import evaluate
from edgeopt.training.operators.definition import Operator, Traced


def _resize(node: Node, inputs: Sequence[Any]) -> Traced:
    """Of maps; neither samples nor channels can be resized, and no region is cut out."""
    x, type_ = inputs[0], node.output.type
    assert x is not None and type_ is not None
    cut = node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    if cut or x.ndim < 3 or tuple(type_.dims[:2]) != tuple(x.shape[:2]):
        raise EdgeoptError(f"{node!r} cannot be trained through: only maps that are resized as a whole can")
    for axis in range(2, x.ndim):
        matrix = _matrix(node, inputs[1:], x.shape, axis)
        if not np.array_equal(matrix, np.eye(*matrix.shape)):
            x = jnp.moveaxis(jnp.tensordot(x, matrix, (axis, 1)), -1, axis)
    return x


def _matrix(node: Node, parameters: Sequence[Any], shape: Sequence[int], axis: int) -> Array:
    """[after, before] along an axis: what becomes of impulses there, each in a channel of its own and equal along all others."""
    count = shape[axis]
    impulses = np.eye(count, dtype=np.float32).reshape(1, count, *(count if a == axis else 1 for a in range(2, len(shape))))
    fed = np.broadcast_to(impulses, (1, count, *shape[2:]))
    rest = [None if p is None else np.asarray(p) for p in parameters]
    if len(rest) == 3 and rest[2] is not None and not node.integers("axes"):
        rest[2] = np.array([1, count, *rest[2][2:]], rest[2].dtype)
    made = evaluate(node, [np.ascontiguousarray(fed), *rest])[0]
    along = made[(0, slice(None), *(slice(None) if a == axis else 0 for a in range(2, len(shape))))]
    return np.asarray(along.T)


OPERATORS: dict[str, Operator] = {"Resize": _resize}
