"""Products of float activations with weights kept in few bits: codes that a scale makes real, or half precision.

Inputs are x (float32), w (int8, int4, int2 or float16), w_scale (a scalar, or a vector along the output channels; left out of
float16), bias (float32), r (float32, of the shape of the result); the last two may be left out. Codes are centred: they have
no zero point.
"""

from __future__ import annotations

from typing import Any

from edgeopt.ir import Node
from edgeopt.ops.definition import Body, OwnOp, activation
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.ops.work import convolution, product

X, WEIGHT, SCALE, BIAS, RESIDUAL = range(5)
CODES = ("int8", "int4", "int2")


def _weight(node: Node, body: Body, axis: int) -> str:
    if node.input(SCALE) is None:
        return body.op("Cast", ["x1"], to=1)
    return body.op("DequantizeLinear", ["x1", "x2"], axis=axis)


def _hybrid_conv(node: Node, body: Body) -> None:
    """w [M, C/g, kernel...]: y = activation(Conv(x, w * w_scale, bias) + r)."""
    ins = ["x0", _weight(node, body, 0)] + (["x3"] if node.input(BIAS) is not None else [])
    conv: dict[str, Any] = {k: node.attributes[k] for k in CONV_ATTRIBUTES if k in node.attributes}
    y = body.op("Conv", ins, **conv)
    if node.input(RESIDUAL) is not None:
        y = body.op("Add", [y, "x4"])
    activation(body, node, y, "y0")


def _hybrid_gemm(node: Node, body: Body) -> None:
    """x [..., M, K], w [K, N]: y = activation(x @ (w * w_scale) + bias + r)."""
    y = body.op("MatMul", ["x0", _weight(node, body, 1)])
    for index in (BIAS, RESIDUAL):
        if node.input(index) is not None:
            y = body.op("Add", [y, f"x{index}"])
    activation(body, node, y, "y0")


HYBRID = (OwnOp("HybridConv", _hybrid_conv, convolution(1), maps=True), OwnOp("HybridGemm", _hybrid_gemm, product))
