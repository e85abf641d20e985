"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from edgeopt.ir import Node
from edgeopt.training.operators.definition import Operator, Traced


def matmul(node: Node, inputs: Sequence[Any]) -> Traced:
    """MatMul."""
    a, b = inputs
    return jnp.matmul(a, b)


def gemm(node: Node, inputs: Sequence[Any]) -> Traced:
    """Gemm: alpha A' B' + beta C."""
    a, b, c = (*inputs, None)[:3]
    assert a is not None and b is not None
    left, right = (a.T if node.integer("transA", 0) else a), (b.T if node.integer("transB", 0) else b)
    y = node.real("alpha", 1.0) * (left @ right)
    return y if c is None else y + node.real("beta", 1.0) * c


def einsum(node: Node, inputs: Sequence[Any]) -> Traced:
    """Einsum."""
    return jnp.einsum(node.text("equation", ""), *inputs)


OPERATORS: dict[str, Operator] = {"MatMul": matmul, "Gemm": gemm, "Einsum": einsum}
