"""Attention spelled out -> FusedAttention of ai.edgeopt, which keeps no matrix of scores.

    Softmax(q @ k * scale + mask) @ v   ->   FusedAttention(q, k, v, mask)

The scale may stand on q, on k or on the product, as Mul or Div, before the mask. Several masks become their sum; one that is
added under a Reshape, as windows do, and a Where with a constant condition and a number below -1e30 must be constant. Exact up
to the rounding of the scale. Not when an inner result has other readers, when the operands are stacked differently, or when a
row of a Where sees no key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of, only_feeds, scalar, shape_of
from edgeopt.rewrite import Context, Pass

HIDDEN = -1e30  # a score below this is a key that is not seen
MOST = 1 << 22  # elements of a constant mask that is written out


@dataclass
class Scores:
    """What is found below a softmax: the product of queries and keys, its factor, what is added to it."""

    product: Node | None = None
    scale: float = 1.0
    masks: list[Value] = field(default_factory=list)
    constant: Array | None = None

    def add(self, array: Array) -> None:
        """Add a constant mask."""
        self.constant = array if self.constant is None else self.constant + array


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    weights = node.input(0)
    softmax = weights.producer if node.is_op("MatMul") and weights is not None else None
    shape = shape_of(softmax.output) if softmax is not None and softmax.is_op("Softmax") else None
    if softmax is None or shape is None or softmax.integer("axis", -1) not in (-1, len(shape) - 1):
        return False
    if not only_feeds(softmax, node) or dtype_of(softmax.output) != "float32":
        return context.decline(node, "the probabilities have other readers, or are not float32")
    found = Scores()
    _below(softmax, softmax, shape, found)
    if found.product is None:
        return context.decline(node, "what is below the softmax is not a product of queries and keys, scaled, then masked")
    q, k, v = _unscaled(found, 0), _unscaled(found, 1), node.input(1)
    stacks = [s[:-2] if s is not None and 0 not in s else None for s in map(shape_of, (q, k, v))]
    if q is None or k is None or v is None or stacks != [shape[:-2]] * 3:
        return context.decline(node, "queries, keys and values are not of one stack, or their shapes are not static")
    _emit(graph, node, found, (q, k, v), shape)
    return True


def _below(reader: Node, softmax: Node, shape: tuple[int, ...], found: Scores) -> None:
    """Follow input 0 of ``reader`` (or what stands for it) down to a product; ``found`` keeps no product where that fails."""
    index: int | None = 0
    while index is not None:
        value = reader.inputs[index]
        below = value.producer if value is not None else None
        if below is None or not only_feeds(below, reader):
            return
        if below.is_op("MatMul"):
            found.product = below if shape_of(below.output) == shape else None
            return
        reader, index = below, _step(below, shape, found)


def _step(node: Node, shape: tuple[int, ...], found: Scores) -> int | None:
    """Take in what ``node`` does to the scores; returns the input that holds them, or None where that is nothing known."""
    if node.is_op("Reshape"):
        return 0
    if node.is_op("Mul", "Div"):
        return _scaled(node, found)
    if node.is_op("Add"):
        return _masked(node, shape, found)
    return _hidden(node, shape, found) if node.is_op("Where") else None


def _scaled(node: Node, found: Scores) -> int | None:
    for index in (1, 0) if node.op == "Mul" else (1,):
        number = scalar(node, index)
        if number:
            found.scale *= number if node.op == "Mul" else 1.0 / number
            return 1 - index
    return None


def _masked(node: Node, shape: tuple[int, ...], found: Scores) -> int | None:
    here = shape_of(node.output)
    index = next((i for i in (0, 1) if _is_scores(node.input(i), here)), None)
    mask = node.input(1 - index) if index is not None else None
    if mask is None or found.scale != 1.0 or here is None or dtype_of(mask) != "float32":
        return None
    if here != shape:
        return index if _written_out(mask.array if mask.is_constant else None, here, shape, found) else None
    if mask.is_constant:
        found.add(mask.array)
    elif (shape_of(mask) or (0,))[-1] == shape[-1]:
        found.masks.append(mask)
    else:
        return None
    return index


def _is_scores(value: Value | None, shape: tuple[int, ...] | None) -> bool:
    """Whether a value may be scores: computed, and of the full shape."""
    producer = value.producer if value is not None else None
    return producer is not None and shape_of(value) == shape and producer.is_op("MatMul", "Mul", "Div", "Add", "Where", "Reshape")


def _written_out(mask: Array | None, here: tuple[int, ...], shape: tuple[int, ...], found: Scores) -> bool:
    """Add a constant mask of scores that are reshaped from ``here`` to ``shape``."""
    if mask is None or np.prod(here) > MOST:
        return False
    found.add(np.broadcast_to(mask, here).reshape(shape))
    return True


def _hidden(node: Node, shape: tuple[int, ...], found: Scores) -> int | None:
    condition = node.constant(0)
    for index in (2, 1):
        number = scalar(node, index)
        if condition is None or number is None or number > HIDDEN or found.scale != 1.0 or shape_of(node.output) != shape:
            continue
        seen = condition if index == 2 else ~condition
        if not seen.any(axis=-1).all() or seen.ndim == 0:
            return None
        found.add(np.where(seen, 0.0, -np.inf).astype(np.float32))
        return 3 - index
    return None


def _unscaled(found: Scores, index: int) -> Value | None:
    """An operand of the product; a factor that it alone carries joins the scale."""
    assert found.product is not None
    value = found.product.inputs[index]
    below = value.producer if value is not None else None
    if below is None or not below.is_op("Mul", "Div") or not only_feeds(below, found.product):
        return value
    kept = _scaled(below, found)
    return value if kept is None or shape_of(below.input(kept)) != shape_of(value) else below.inputs[kept]


def _emit(graph: Graph, node: Node, found: Scores, operands: tuple[Value, Value, Value], shape: tuple[int, ...]) -> None:
    masks = [*found.masks]
    if found.constant is not None:
        rows = np.broadcast_to(found.constant, np.broadcast_shapes(found.constant.shape, shape[-1:]))
        masks.append(graph.constant(f"{node.name}.mask", np.ascontiguousarray(rows)))
    while len(masks) > 1:
        kind = TensorType("float32", np.broadcast_shapes(*(shape_of(m) or () for m in masks[:2])))
        masks[:2] = [graph.make("Add", masks[:2], [kind], node, name=f"{node.name}.masks").output]
    rank = len(shape)
    attributes: dict[str, Attribute] = {"scale": found.scale, "k_order": [*range(rank - 2), rank - 1, rank - 2]}
    made = graph.make("FusedAttention", [*operands, *masks], [node.output.type], node, OWN_DOMAIN, node.name, attributes)
    graph.replace(node.output, made.output)
    graph.erase(node)


PASS = Pass("fuse_attention", rewrite, roots=("MatMul",))
