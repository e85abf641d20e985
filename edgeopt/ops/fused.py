"""FusedConv, PReluConv, GatedConv and FusedGemm: products with bias, residual and activation (and gate) in one operator."""

from __future__ import annotations

from typing import Any

from edgeopt.ir import Node
from edgeopt.ops.definition import Body, OwnOp, activation
from edgeopt.ops.work import convolution, product

CONV_ATTRIBUTES = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


def _fused_conv(node: Node, body: Body) -> None:
    """inputs X, W, B (optional), R (optional residual, shape of Y): Y = activation(Conv(X, W, B) + R)."""
    activation(body, node, _conv_and_residual(node, body), "y0")


def _prelu_conv(node: Node, body: Body) -> None:
    """inputs X, W, B (optional), R (optional, shape of Y), S [M, 1, ...]: Y = PRelu(Conv(X, W, B) + R, S)."""
    body.op("PRelu", [_conv_and_residual(node, body), "x4"], "y0")


def _gated_conv(node: Node, body: Body) -> None:
    """inputs X, W, B (optional), R (optional, shape of Y), G [N, C, 1, 1]: Y = activation(Conv(X * G, W, B) + R)."""
    activation(body, node, _conv_and_residual(node, body, body.op("Mul", ["x0", "x4"])), "y0")


def _conv_and_residual(node: Node, body: Body, x: str = "x0") -> str:
    ins = [x, "x1"] + (["x2"] if node.input(2) is not None else [])
    conv: dict[str, Any] = {k: node.attributes[k] for k in CONV_ATTRIBUTES if k in node.attributes}
    y = body.op("Conv", ins, **conv)
    if node.input(3) is not None:
        y = body.op("Add", [y, "x3"])
    return y


def _fused_gemm(node: Node, body: Body) -> None:
    """inputs A [..., M, K], W [K, N], B (optional, [N]), R (optional, shape of Y): Y = activation(A @ W + B + R)."""
    y = body.op("MatMul", ["x0", "x1"])
    for index in (2, 3):
        if node.input(index) is not None:
            y = body.op("Add", [y, f"x{index}"])
    activation(body, node, y, "y0")


FUSED_CONV = OwnOp("FusedConv", _fused_conv, convolution(1), maps=True)
PRELU_CONV = OwnOp("PReluConv", _prelu_conv, convolution(1), maps=True)
GATED_CONV = OwnOp("GatedConv", _gated_conv, convolution(1), maps=True)
FUSED_GEMM = OwnOp("FusedGemm", _fused_gemm, product)
