"""QuantizeLinear and DequantizeLinear of onnxruntime, which take codes of 16 bits at every operator set.

ONNX has those since operator set 21; below it they are spelled out: exact, but no integer kernels are made of them.
"""

from __future__ import annotations

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.vendor.contract import Contract, given
from edgeopt.ir import Node, onnx_code
from edgeopt.ir.match import dtype_of, rank_of
from edgeopt.ops.definition import Body

ALL_TYPES_SINCE = 21
EARLY = ("uint8", "int8", "int32", "")


def _quantize(node: Node, body: Body) -> None:
    """x, scale, zero: clip(round(x / scale) + zero)."""
    dtype = dtype_of(node.input(2))
    if body.opset >= ALL_TYPES_SINCE or dtype in EARLY:
        body.op("QuantizeLinear", given(node, 3), "y0", axis=node.integer("axis", 1))
        return
    limits = np.iinfo(dtype)
    codes = body.op("Round", [body.op("Div", ["x0", _along(node, body, 1, "x1")])])
    moved = body.op("Add", [codes, _along(node, body, 2, body.op("Cast", ["x2"], to=1))])
    clipped = body.op("Clip", [moved, body.constant(float(limits.min)), body.constant(float(limits.max))])
    body.op("Cast", [clipped], "y0", to=onnx_code(dtype))


def _dequantize(node: Node, body: Body) -> None:
    """codes, scale, zero: (codes - zero) * scale."""
    if body.opset >= ALL_TYPES_SINCE or dtype_of(node.input(0)) in EARLY:
        body.op("DequantizeLinear", given(node, 3), "y0", axis=node.integer("axis", 1))
        return
    x = body.op("Cast", ["x0"], to=1)
    if node.input(2) is not None:
        x = body.op("Sub", [x, _along(node, body, 2, body.op("Cast", ["x2"], to=1))])
    body.op("Mul", [x, _along(node, body, 1, "x1")], "y0")


def _along(node: Node, body: Body, index: int, name: str) -> str:
    """Input ``index`` as ``name``; a vector lies along ``axis``."""
    rank, length = rank_of(node.input(0)), rank_of(node.input(index))
    if length == 0:
        return name
    if rank is None or length is None:
        raise EdgeoptError(f"{node!r} has codes of unknown rank; give the model's inputs a shape")
    return body.op("Reshape", [name, body.constant([-1, *[1] * (rank - 1 - node.integer("axis", 1) % max(rank, 1))], "int64")])


CONTRACTS = {
    "QuantizeLinear": Contract(2, 3, _quantize, ("axis",)),
    "DequantizeLinear": Contract(2, 3, _dequantize, ("axis",)),
}
