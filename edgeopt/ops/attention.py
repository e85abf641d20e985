"""FusedAttention: softmax(scale * Q K^T + mask) V, for any number of heads (Vaswani et al., Attention Is All You Need, 2017).

Inputs Q [..., rows, depth], K [..., keys, depth], V [..., keys, width] and a mask (optional) that broadcasts to the scores
[..., rows, keys] and is added to them. The attributes ``q_order``, ``k_order``, ``v_order`` are permutations that bring the
operands into these forms, ``y_order`` is one of the result; none: as it is.
"""

from __future__ import annotations

from math import prod

from edgeopt.ir import Node
from edgeopt.ops.definition import Body, OwnOp

ORDERS = ("q_order", "k_order", "v_order", "y_order")
Shape = tuple[int, ...]


def _attention(node: Node, body: Body) -> None:
    q, k, v = (_ordered(node, body, name, f"x{i}") for i, name in enumerate(ORDERS[:3]))
    rank = len(order(node, "k_order"))
    turned = body.op("Transpose", [k], perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = body.op("Mul", [body.op("MatMul", [q, turned]), body.constant(node.real("scale", 1.0))])
    if node.input(3) is not None:
        scores = body.op("Add", [scores, "x3"])
    y = body.op("MatMul", [body.op("Softmax", [scores], axis=-1), v])
    body.op("Transpose", [y], "y0", perm=list(order(node, "y_order")))


def _ordered(node: Node, body: Body, name: str, x: str) -> str:
    return body.op("Transpose", [x], perm=list(node.integers(name))) if node.integers(name, ()) else x


def order(node: Node, name: str) -> Shape:
    """The permutation named ``name``, the identity when the node has none."""
    value = node.input(0)
    assert value is not None and value.type is not None and value.type.shape is not None
    return node.integers(name, ()) or tuple(range(len(value.type.shape)))


def brought(node: Node, index: int) -> Shape:
    """The shape of input ``index`` (Q, K or V) in the form it is meant in; all shapes must be static."""
    value = node.input(index)
    assert value is not None and value.type is not None
    return tuple(value.type.dims[a] for a in order(node, ORDERS[index]))


def _macs(node: Node) -> int | None:
    values = node.inputs[:3]
    if any(v is None or v.type is None or not v.type.static for v in values):
        return None
    q, k, v = (brought(node, i) for i in range(3))
    return prod(q[:-1]) * k[-2] * (q[-1] + v[-1])


FUSED_ATTENTION = OwnOp("FusedAttention", _attention, _macs)
