"""Questions the passes ask about a graph: who reads a value, what is known of its shape, what a constant means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.ir.graph import Graph, Node, Value
from edgeopt.ir.types import Array

FLOATS = ("float16", "bfloat16", "float32", "float64")
RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout")


def graph_of(node: Node) -> Graph:
    """The graph ``node`` stands in. Raises ValueError for a node that was erased."""
    if node.graph is None:
        raise ValueError(f"{node!r} belongs to no graph")
    return node.graph


def sole_user(value: Value | None) -> Node | None:
    """The node that alone reads a computed value, through one input and in the same graph; None for a graph output."""
    if value is None or value.producer is None or len(value.uses) != 1:
        return None
    graph, user = graph_of(value.producer), value.uses[0][0]
    return user if user.graph is graph and not graph.is_output(value) else None


def only_feeds(node: Node | None, user: Node) -> bool:
    """True when nothing but ``user`` reads any output of ``node``."""
    return node is not None and sole_user(node.output) is user and not any(o.uses for o in node.outputs[1:])


def readers(value: Value) -> str:
    """Who reads ``value``, in words, for the reason of a declined rewrite."""
    graph = value.producer.graph if value.producer is not None else None
    output = graph is not None and graph.is_output(value)
    return f"'{value.name}' has {len(value.uses)} readers{' and is a graph output' if output else ''}"


def outer_values(node: Node) -> list[Value]:
    """Values of the enclosing graphs that the node's subgraphs read, once each."""
    found: dict[Value, None] = {}
    for inner in node.subgraphs:
        own = {v for g in inner.walk() for v in [*g.inputs, *g.constants, *(o for n in g.nodes for o in n.outputs)]}
        reads = [v for g in inner.walk() for v in [*(i for n in g.nodes for i in n.inputs), *g.outputs]]
        found.update({v: None for v in reads if v is not None and v not in own})
    return list(found)


def shape_of(value: Value | None) -> tuple[int, ...] | None:
    """The static shape, or None when a dimension is unknown."""
    return value.type.dims if value is not None and value.type is not None and value.type.static else None


def rank_of(value: Value | None) -> int | None:
    """The number of dimensions, or None when unknown."""
    if value is None or value.type is None or value.type.proto is not None or value.type.shape is None:
        return None
    return len(value.type.shape)


def dtype_of(value: Value | None) -> str:
    """The element type name, or '' when unknown or not a tensor."""
    return value.type.dtype if value is not None and value.type is not None and value.type.proto is None else ""


def is_float(value: Value | None) -> bool:
    """True for a tensor of a floating-point element type."""
    return dtype_of(value) in FLOATS


def same_type(left: Value | None, right: Value | None) -> bool:
    """True when element type and shape are known and equal; a named dimension equals itself, an unknown one nothing."""
    a, b = left.type if left else None, right.type if right else None
    return a is not None and a == b and a.proto is None and a.shape is not None and None not in a.shape


def scalar(node: Node, index: int) -> float | None:
    """The number input ``index`` holds when it is a real constant of one element, else None."""
    value = node.input(index)
    if value is None or not value.is_constant or value.type is None:
        return None
    shape = value.type.shape
    if shape is None or any(d != 1 for d in shape) or value.array.dtype.kind not in "fiu":
        return None
    return float(value.array.reshape(()))


def code_limits(node: Node) -> tuple[int, int] | None:
    """The codes between which the attributes ``low`` and ``high`` of an integer operator hold its result; None without them."""
    low, high = node.attributes.get("low"), node.attributes.get("high")  # those of RandomUniform are no integers
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def integers(node: Node, index: int, attribute: str = "") -> tuple[int, ...] | None:
    """The list of integers that constant input ``index`` or, when it is left out, ``attribute`` holds; None otherwise."""
    array = node.constant(index)
    if array is not None and array.dtype.kind in "iu":
        return tuple(int(v) for v in array.reshape(-1))
    if node.input(index) is None and attribute in node.attributes:
        return node.integers(attribute)
    return None


def positive_axes(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """``axes`` counted from the front."""
    return tuple(a % rank if rank else a for a in axes)


def channel_order(node: Node) -> Array | None:
    """The indices of a Gather that takes each channel (axis 1) of a map once, counted from the front; None for other nodes."""
    order, shape = node.constant(1), shape_of(node.input(0))
    if not node.is_op("Gather") or order is None or shape is None or len(shape) < 3 or node.integer("axis", 0) % len(shape) != 1:
        return None
    found = order % shape[1] if order.ndim == 1 and len(order) == shape[1] else None
    return found if found is not None and len(np.unique(found)) == len(found) else None


def channel_vector(array: Array, rank: int, axis: int, channels: int) -> Array | None:
    """The vector [channels] that ``array`` means when broadcast against a tensor of ``rank`` with ``channels`` at ``axis``.

    None when it varies along another axis or would enlarge the tensor.
    """
    if array.ndim > rank:
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    if shape[axis] not in (1, channels) or any(d != 1 for i, d in enumerate(shape) if i != axis):
        return None
    return np.broadcast_to(array.reshape(-1), (channels,))


def constant_operand(node: Node) -> tuple[int, int] | None:
    """(index of the computed input, index of the constant input) of a binary node with exactly one constant, else None."""
    left, right = node.input(0), node.input(1)
    if left is None or right is None or left.is_constant == right.is_constant:
        return None
    return (1, 0) if left.is_constant else (0, 1)
