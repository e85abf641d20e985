"""Attention: queries, keys and values that meet, in the order of axes that each of them is given in."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands, Shape

ORDERS = ("q_order", "k_order", "v_order")


def _attention(operands: Operands) -> None:
    operands.same_type(0, 1, 2, 3)
    operands.typed(0, "float32")
    rank = operands.rank(0, 2)
    q, k, v = (_brought(operands, index, rank) for index in range(3))
    operands.need(q[:-2] == k[:-2] == v[:-2], f"the stacks of queries {q}, keys {k} and values {v} differ")
    operands.need(q[-1] == k[-1], f"queries of {q[-1]} elements meet keys of {k[-1]}")
    operands.need(k[-2] == v[-2], f"there are {k[-2]} keys and {v[-2]} values")
    operands.spreads(3, (*q[:-1], k[-2]))
    result = (*q[:-1], v[-1])
    operands.yields([result[a] for a in _order(operands, "y_order", rank)])


def _order(operands: Operands, name: str, rank: int) -> Shape:
    found = operands.node.integers(name, ()) or tuple(range(rank))
    operands.need(sorted(found) == list(range(rank)), f"{name} {list(found)} is no permutation of {rank} axes")
    return found


def _brought(operands: Operands, index: int, rank: int) -> Shape:
    operands.rank(index, rank, rank)
    return tuple(operands.shape(index)[a] for a in _order(operands, ORDERS[index], rank))


RULES = {"FusedAttention": _attention}
