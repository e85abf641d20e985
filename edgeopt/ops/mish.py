"""Mish, which the standard operator set gained at opset 18."""

from __future__ import annotations

from edgeopt.ir import Node
from edgeopt.ops.definition import Body, OwnOp


def _mish(node: Node, body: Body) -> None:
    """Y = X * tanh(log(1 + exp(X))), of the shape of X (Misra, Mish: A Self Regularized Activation Function)."""
    body.op("Mul", ["x0", body.op("Tanh", [body.op("Softplus", ["x0"])])], "y0")


MISH = OwnOp("Mish", _mish)
