"""Gelu in its forms, and functions whose sign or bias goes in first."""

from __future__ import annotations

from edgeopt.frontend.vendor.contract import Contract
from edgeopt.ir import Node
from edgeopt.ops.definition import Body, element_type


def _gelu(node: Node, body: Body) -> None:
    body.own("Gelu", ["x0"], "y0")


def _bias_gelu(node: Node, body: Body) -> None:
    body.own("Gelu", [body.op("Add", ["x0", "x1"])], "y0")


def _fast_gelu(node: Node, body: Body) -> None:
    x = body.op("Add", ["x0", "x1"]) if node.input(1) is not None else "x0"
    body.own("Gelu", [x], "y0", approximate="tanh")


def _quick_gelu(node: Node, body: Body) -> None:
    """x * sigmoid(alpha x)."""
    alpha = node.real("alpha", 1.702)
    inner = "x0" if alpha == 1.0 else body.op("Mul", ["x0", body.constant(alpha, element_type(node))])
    body.op("Mul", ["x0", body.op("Sigmoid", [inner])], "y0")


CONTRACTS = {
    "Gelu": Contract(1, 1, _gelu),
    "BiasGelu": Contract(2, 2, _bias_gelu),
    "FastGelu": Contract(1, 2, _fast_gelu),
    "QuickGelu": Contract(1, 1, _quick_gelu, ("alpha",)),
}
