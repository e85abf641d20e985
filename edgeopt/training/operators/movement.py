"""Elements that change their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from edgeopt.ir import Node
from edgeopt.training.operators.definition import Operator, Traced, axes_of, known


def _reshape(node: Node, inputs: Sequence[Any]) -> Traced:
    """Into the shape of the output, which is known; also Flatten, Squeeze and Unsqueeze."""
    assert node.output.type is not None and inputs[0] is not None
    return inputs[0].reshape(node.output.type.dims)


def _transpose(node: Node, inputs: Sequence[Any]) -> Traced:
    (x,) = inputs
    assert x is not None
    return x.transpose(node.integers("perm", reversed(range(x.ndim))))


def _concat(node: Node, inputs: Sequence[Any]) -> Traced:
    return jnp.concatenate(inputs, node.integer("axis", 0))


def _split(node: Node, inputs: Sequence[Any]) -> tuple[Traced, ...]:
    x, axis = inputs[0], node.integer("axis", 0)
    sizes = [o.type.dims[axis] for o in node.outputs if o.type is not None]
    bounds = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    return tuple(jnp.split(x, bounds, axis))


def _slice(node: Node, inputs: Sequence[Any]) -> Traced:
    x = inputs[0]
    assert x is not None
    starts, ends, axes, steps = (known(node, inputs, i) for i in (1, 2, 3, 4))
    assert starts is not None and ends is not None
    index: list[slice] = [slice(None)] * x.ndim
    for i, axis in enumerate(axes or range(len(starts))):
        step, size = (steps or [1] * len(starts))[i], x.shape[axis]
        index[axis] = slice(starts[i], None if step < 0 and ends[i] < -size else ends[i], step)
    return x[tuple(index)]


def _gather(node: Node, inputs: Sequence[Any]) -> Traced:
    x, index = inputs
    assert x is not None and index is not None
    axis = node.integer("axis", 0)
    return jnp.take(x, jnp.where(index < 0, index + x.shape[axis], index), axis)


def _gather_elements(node: Node, inputs: Sequence[Any]) -> Traced:
    x, index = inputs
    assert x is not None and index is not None
    axis = node.integer("axis", 0)
    return jnp.take_along_axis(x, jnp.where(index < 0, index + x.shape[axis], index), axis)


def _expand(node: Node, inputs: Sequence[Any]) -> Traced:
    assert node.output.type is not None
    return jnp.broadcast_to(inputs[0], node.output.type.dims)


def _tile(node: Node, inputs: Sequence[Any]) -> Traced:
    repeats = known(node, inputs, 1)
    assert repeats is not None
    return jnp.tile(inputs[0], repeats)


def _pad(node: Node, inputs: Sequence[Any]) -> Traced:
    x, pads, mode = inputs[0], known(node, inputs, 1), node.text("mode", "constant")
    assert x is not None and pads is not None
    axes = [a % x.ndim for a in known(node, inputs, 3) or range(x.ndim)]
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(axes):
        widths[axis] = (pads[i], pads[i + len(axes)])
    cut = tuple(slice(max(0, -b), n - max(0, -e)) for (b, e), n in zip(widths, x.shape, strict=True))
    widths = [(max(0, b), max(0, e)) for b, e in widths]
    value = inputs[2] if len(inputs) > 2 and inputs[2] is not None else 0.0
    if mode == "constant":
        return jnp.pad(x[cut], widths, constant_values=jnp.reshape(value, ()))
    return jnp.pad(x[cut], widths, mode=mode)


def _depth_to_space(node: Node, inputs: Sequence[Any]) -> Traced:
    (x,), b = inputs, node.integer("blocksize", 1)
    assert x is not None
    n, c, h, w = x.shape
    if node.text("mode", "DCR") == "DCR":
        return x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c // b**2, h * b, w * b)
    return x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // b**2, h * b, w * b)


def _space_to_depth(node: Node, inputs: Sequence[Any]) -> Traced:
    (x,), b = inputs, node.integer("blocksize", 1)
    assert x is not None
    n, c, h, w = x.shape
    return x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


def _trilu(node: Node, inputs: Sequence[Any]) -> Traced:
    offset = (known(node, inputs, 1) or [0])[0]
    return (jnp.triu if node.integer("upper", 1) else jnp.tril)(inputs[0], offset)


def _squeeze(node: Node, inputs: Sequence[Any]) -> Traced:
    x = inputs[0]
    assert x is not None
    return _reshape(node, inputs) if node.output.type is not None else jnp.squeeze(x, axes_of(node, inputs, x.ndim))


OPERATORS: dict[str, Operator] = {
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Unsqueeze": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Trilu": _trilu,
}
