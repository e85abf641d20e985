"""Silu, Gelu and HardSwish, which the standard operator sets gained late (opset 24, 20 and 14)."""

from __future__ import annotations

import math

from edgeopt.ir import Node
from edgeopt.ops.definition import Body, OwnOp, element_type, gelu


def _silu(node: Node, body: Body) -> None:
    """Y = X * sigmoid(X), of the shape of X."""
    body.op("Mul", ["x0", body.op("Sigmoid", ["x0"])], "y0")


def _hard_swish(node: Node, body: Body) -> None:
    """Y = X * max(0, min(1, X / 6 + 1 / 2)), of the shape of X."""
    body.op("Mul", ["x0", body.op("HardSigmoid", ["x0"], alpha=1 / 6, beta=0.5)], "y0")


def _gelu(node: Node, body: Body) -> None:
    """Y = X / 2 * (1 + erf(X / sqrt 2)), of the shape of X.

    With ``approximate`` = "tanh": Y = X / 2 * (1 + tanh(sqrt(2 / pi) * (X + 0.044715 X^3))) (Hendrycks and Gimpel, Gaussian
    Error Linear Units, 2016, section 2).
    """
    dtype = element_type(node)
    if node.text("approximate", "none") != "tanh":
        return gelu(body, "x0", "y0", dtype)
    half, one = (body.constant(c, dtype) for c in (0.5, 1.0))
    cube = body.op("Mul", [body.op("Mul", ["x0", "x0"]), "x0"])
    inner = body.op("Add", ["x0", body.op("Mul", [cube, body.constant(0.044715, dtype)])])
    bend = body.op("Tanh", [body.op("Mul", [inner, body.constant(math.sqrt(2 / math.pi), dtype)])])
    body.op("Mul", [body.op("Mul", ["x0", half]), body.op("Add", [bend, one])], "y0")


SILU = OwnOp("Silu", _silu)
HARD_SWISH = OwnOp("HardSwish", _hard_swish)
GELU = OwnOp("Gelu", _gelu)
