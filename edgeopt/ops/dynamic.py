"""Products whose input was quantised at run time: codes with a computed scale and zero point, weights of 8 bits.

    y = activation(Op(x - x_zero, w - w_zero) (x_scale w_scale) + bias)

The sum is taken in integers, the result is float32. This is what ``DynamicQuantizeLinear`` feeds in the standard form, which is
the body: ``MatMulInteger`` or ``ConvInteger``, ``Cast``, ``Mul``, ``Add``.
"""

from __future__ import annotations

from typing import Any

from edgeopt.ir import Node
from edgeopt.ops.definition import Body, OwnOp, activation
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.ops.work import convolution, product

X, X_SCALE, X_ZERO, WEIGHT, WEIGHT_SCALE, WEIGHT_ZERO, BIAS = range(7)


def _dynamic_conv(node: Node, body: Body) -> None:
    """x (codes), x_scale, x_zero, w [M, C/g, kernel...], w_scale (one, or [M]), w_zero (likewise), bias (float32 [M]).

    Zero points and bias may be left out. Padding holds x_zero.
    """
    conv: dict[str, Any] = {k: node.attributes[k] for k in CONV_ATTRIBUTES if k in node.attributes}
    value = node.input(WEIGHT)
    spatial = len(value.type.shape) - 2 if value is not None and value.type is not None and value.type.shape else 2
    sums = body.op("ConvInteger", _codes(node), **conv)
    _end(node, body, sums, [-1, *[1] * spatial])


def _dynamic_gemm(node: Node, body: Body) -> None:
    """Inputs as of DynamicConv with x [..., K], w [K, N] and vectors [N]. y = activation((x - x_zero) @ (w - w_zero) ...)."""
    _end(node, body, body.op("MatMulInteger", _codes(node)), [-1])


def _codes(node: Node) -> list[str]:
    names = [f"x{i}" if node.input(i) is not None else "" for i in (X, WEIGHT, X_ZERO, WEIGHT_ZERO)]
    while not names[-1]:
        names.pop()
    return names


def _end(node: Node, body: Body, sums: str, shape: list[int]) -> None:
    factor = body.op("Mul", [f"x{X_SCALE}", _shaped(body, node, WEIGHT_SCALE, shape)])
    y = body.op("Mul", [body.op("Cast", [sums], to=1), factor])
    if node.input(BIAS) is not None:
        y = body.op("Add", [y, _shaped(body, node, BIAS, shape)])
    activation(body, node, y, "y0")


def _shaped(body: Body, node: Node, index: int, shape: list[int]) -> str:
    """Input ``index`` along the channels of the result; a number stays one."""
    value = node.input(index)
    rank = len(value.type.shape) if value is not None and value.type is not None and value.type.shape is not None else 1
    if len(shape) == 1 or rank == 0:
        return f"x{index}"
    return body.op("Reshape", [f"x{index}", body.constant(shape, "int64")])


DYNAMIC = (
    OwnOp("DynamicConv", _dynamic_conv, convolution(3), samplewise=False, numeric="integer"),
    OwnOp("DynamicGemm", _dynamic_gemm, product, samplewise=False, numeric="integer"),
)
