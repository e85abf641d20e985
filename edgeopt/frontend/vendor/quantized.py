"""Operators on codes: our integer operators where they mean the same, else the float operator between its grids."""

from __future__ import annotations

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.vendor.contract import Contract, given
from edgeopt.frontend.vendor.grids import codes, operands, real, unary
from edgeopt.ir import Node
from edgeopt.ir.match import rank_of
from edgeopt.ops.definition import Body
from edgeopt.ops.fused import CONV_ATTRIBUTES


def _sum(node: Node, body: Body) -> None:
    """a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; rounded by ratios of scales, as integer kernels do."""
    body.own("QuantAdd", operands(node, body, 8), "y0", ratios=1)


def _product(node: Node, body: Body) -> None:
    body.own("QuantMul", operands(node, body, 8), "y0")


def _concat(node: Node, body: Body) -> None:
    """y_scale, y_zero, then codes, scale and zero point of each part."""
    body.own("QuantConcat", given(node, len(node.inputs)), "y0", axis=node.integer("axis", 1))


def _leaky(node: Node, body: Body) -> None:
    unary("LeakyRelu", node, body, {"alpha": node.real("alpha", 0.01)})


def _sigmoid(node: Node, body: Body) -> None:
    unary("Sigmoid", node, body, {})


def _softmax(node: Node, body: Body) -> None:
    """Over one axis, or, where ``opset`` is below 13, over all from ``axis`` on."""
    axis, rank = node.integer("axis", -1), rank_of(node.input(0))
    if node.integer("opset", 13) >= 13 or (rank is not None and axis % rank == rank - 1):
        body.own("QuantSoftmax", operands(node, body, 5), "y0", axis=axis)
        return
    matrix = body.own("QuantSoftmax", [body.op("Flatten", ["x0"], axis=axis), *operands(node, body, 5)[1:]], axis=-1)
    body.op("Reshape", [matrix, body.op("Shape", ["x0"])], "y0")


def _mean(node: Node, body: Body) -> None:
    axes = list(node.integers("axes")) or None
    keep = node.integer("keepdims", 1)
    value = real(node, body, 0)
    if body.opset >= 18:
        inputs = [value, *([body.constant(axes, "int64")] if axes else [])]
        codes(node, body, body.op("ReduceMean", inputs, keepdims=keep), 3, 4)
    else:
        codes(node, body, body.op("ReduceMean", [value], axes=axes, keepdims=keep), 3, 4)


def _where(node: Node, body: Body) -> None:
    """condition, a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero."""
    codes(node, body, body.op("Where", ["x0", real(node, body, 1), real(node, body, 4)]), 7, 8)


def _gemm(node: Node, body: Body) -> None:
    """A, a_scale, a_zero, B, b_scale, b_zero, C (int32 of scale alpha a_scale b_scale), y_scale, y_zero."""
    columns = 0 if node.integer("transB", 0) else 1
    factors = [real(node, body, 0), real(node, body, 3, columns)]
    if node.input(6) is not None:
        rank = rank_of(node.input(6))
        if rank is None:
            raise EdgeoptError(f"{node!r} has an addend of unknown rank; give the model's inputs a shape")
        scale = body.op("Mul", ["x1", "x4"])
        factors.append(body.op("Mul", [body.op("Cast", ["x6"], to=1), scale]))
    swaps = {name: node.integer(name, 0) for name in ("transA", "transB")}
    alpha = node.real("alpha", 1.0)  # it scales the addend as well
    y = body.op("Gemm", factors, "" if node.input(7) is not None else "y0", 1, alpha=alpha, beta=alpha, **swaps)
    if node.input(7) is not None:
        codes(node, body, y, 7, 8)


def _conv(node: Node, body: Body) -> None:
    """The operator of ONNX; channels may lie on the last axis of x and y."""
    kept = {k: node.attributes[k] for k in CONV_ATTRIBUTES if k in node.attributes}
    if not node.integer("channels_last", 0):
        body.op("QLinearConv", given(node, 9), "y0", 1, **kept)
        return
    rank = rank_of(node.input(3)) or rank_of(node.input(0)) or 4
    first = body.op("Transpose", ["x0"], perm=[0, rank - 1, *range(1, rank - 1)])
    y = body.op("QLinearConv", [first, *given(node, 9)[1:]], "", 1, **kept)
    body.op("Transpose", [y], "y0", perm=[0, *range(2, rank), 1])


CONTRACTS = {
    "QLinearConv": Contract(8, 9, _conv, (*CONV_ATTRIBUTES, "channels_last")),
    "QLinearAdd": Contract(7, 8, _sum, optional=(2, 5)),
    "QLinearMul": Contract(7, 8, _product, optional=(2, 5)),
    "QLinearConcat": Contract(5, 2**31, _concat, ("axis",)),
    "QLinearLeakyRelu": Contract(4, 5, _leaky, ("alpha",), optional=(2,)),
    "QLinearSigmoid": Contract(4, 5, _sigmoid, optional=(2,)),
    "QLinearSoftmax": Contract(5, 5, _softmax, ("axis", "opset"), optional=(2,)),
    "QLinearReduceMean": Contract(4, 5, _mean, ("axes", "keepdims"), optional=(2,)),
    "QLinearWhere": Contract(9, 9, _where, optional=(3, 6)),
    "QGemm": Contract(6, 9, _gemm, ("alpha", "transA", "transB"), optional=(2, 5)),
}
