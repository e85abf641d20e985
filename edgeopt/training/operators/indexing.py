"""Elements that are picked or put by index; gradients go to the elements, none to the indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from edgeopt.ir import Node
from edgeopt.training.operators.definition import Operator, Traced, known

PUT = {"none": "set", "add": "add", "mul": "multiply", "max": "max", "min": "min"}


def _gather_nd(node: Node, inputs: Sequence[Any]) -> Traced:
    """Tuples along the last axis of the index."""
    picked = _picked
    for _ in range(node.integer("batch_dims", 0)):
        picked = jax.vmap(picked)
    return picked(*inputs)


def _picked(x: Traced, index: Traced) -> Traced:
    return x[tuple(jnp.moveaxis(jnp.asarray(index), -1, 0))]


def _scatter_nd(node: Node, inputs: Sequence[Any]) -> Traced:
    x, index, updates = inputs
    place = jnp.asarray(x).at[tuple(jnp.moveaxis(jnp.asarray(index), -1, 0))]
    return getattr(place, PUT[node.text("reduction", "none")])(updates)


def _scatter_elements(node: Node, inputs: Sequence[Any]) -> Traced:
    x, index, updates = inputs
    axis, index = node.integer("axis", 0) % x.ndim, jnp.asarray(index)
    grid = list(jnp.indices(index.shape))
    grid[axis] = jnp.where(index < 0, index + x.shape[axis], index)
    return getattr(jnp.asarray(x).at[tuple(grid)], PUT[node.text("reduction", "none")])(updates)


def _top_k(node: Node, inputs: Sequence[Any]) -> tuple[Traced, ...]:
    """The largest or smallest along an axis, the first of equals first, and where they were."""
    x, axis, count = inputs[0], node.integer("axis", -1), known(node, inputs, 1)
    assert x is not None and count is not None
    last = jnp.moveaxis(x, axis, -1)
    values, index = lax.top_k(last if node.integer("largest", 1) else -last, count[0])
    values = values if node.integer("largest", 1) else -values
    return jnp.moveaxis(values, -1, axis), jnp.moveaxis(index, -1, axis)


def _reverse_sequence(node: Node, inputs: Sequence[Any]) -> Traced:
    x, lengths = inputs
    time, batch = node.integer("time_axis", 0), node.integer("batch_axis", 1)
    moved = jnp.moveaxis(x, (batch, time), (0, 1))
    steps = jnp.arange(moved.shape[1])[None]
    ends = jnp.asarray(lengths)[:, None]
    index = jnp.where(steps < ends, ends - 1 - steps, steps).reshape(*moved.shape[:2], *[1] * (moved.ndim - 2))
    return jnp.moveaxis(jnp.take_along_axis(moved, index, 1), (0, 1), (batch, time))


OPERATORS: dict[str, Operator] = {
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "ScatterElements": _scatter_elements,
    "TopK": _top_k,
    "ReverseSequence": _reverse_sequence,
}
