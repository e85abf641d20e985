"""Products whose weights are codewords of small codebooks (Wu et al., Quantized Convolutional Neural Networks, 2016).

Inputs are x, x_scale, x_zero, codes, codebooks, scale, bias (float32), y_scale, y_zero, r, r_scale, r_zero; all from ``bias`` on
may be left out, and without y_scale and y_zero the result is float32. Sub-space s of a group is its channels from s C' on, C' the
last extent of the codebooks. ``codes`` (uint4 or uint8) name a codeword of every sub-space for each output and kernel position;
``codebooks`` [A, groups * S, K, C'] hold them in int8. With A > 1 the codewords of A codebooks are added up. The weight is their
sum times ``scale`` (a scalar, or one for each output). Components beyond the channels of a group count for nothing.

Kernels read inner products of x and the codewords from tables of signed bytes, in units of 2^``shift``; it is the one thing in
which they differ from the body.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Node, Value
from edgeopt.ir.match import shape_of
from edgeopt.ops.code_limits import quantized_result
from edgeopt.ops.definition import Body, OwnOp, activation
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.ops.work import product

X, CODES, CODEBOOKS, SCALE, BIAS, RESULT, RESIDUAL = 0, 3, 4, 5, 6, 7, 9
KINDS = ("uint4", "uint8")  # of codes


def _weight(node: Node, body: Body, channels: int) -> str:
    """The weight [M, channels, kernel...] of a node."""
    count, outputs, spaces, *taps = _dims(node.input(CODES), 3)
    _, all_spaces, words, size = _dims(node.input(CODEBOOKS), 4)[:4]
    groups = max(1, all_spaces // max(1, spaces))
    split = (count, groups, outputs // groups, spaces, *taps)
    first = [[[words * ((a * groups + g) * spaces + s) for s in range(spaces)] for g in range(groups)] for a in range(count)]
    start = body.constant(np.reshape(first, (count, groups, 1, spaces, *(1 for _ in taps))), "int64")
    codes = body.op("Reshape", [body.op("Cast", ["x3"], to=7), _shape(body, *split)])
    table = body.op("Cast", [body.op("Reshape", ["x4", _shape(body, -1, size)])], to=1)
    found = body.op("Gather", [table, body.op("Add", [codes, start])], axis=0)
    total = body.op("ReduceSum", [found, _shape(body, 0)], keepdims=0)
    order = (0, 1, 2, 3 + len(taps), *range(3, 3 + len(taps)))
    whole = body.op("Reshape", [body.op("Transpose", [total], perm=order), _shape(body, outputs, spaces * size, *taps)])
    kept = body.op("Slice", [whole, _shape(body, 0), _shape(body, channels), _shape(body, 1)])
    return body.op("Mul", [kept, body.op("Reshape", ["x5", _shape(body, -1, *(1 for _ in range(1 + len(taps))))])])


def _dims(value: Value | None, least: int) -> tuple[int, ...]:
    """The shape of ``value``; ones where it has less than ``least`` dimensions, which contracts refuse."""
    shape = shape_of(value) or ()
    return shape if len(shape) >= least else (1,) * least


def _shape(body: Body, *dims: int) -> str:
    return body.constant(list(dims), "int64")


def _real(body: Body, node: Node, index: int) -> str:
    return body.op("DequantizeLinear", [f"x{i}" for i in range(index, index + 3) if node.input(i) is not None])


def _end(body: Body, node: Node, y: str) -> None:
    if node.input(RESIDUAL) is not None:
        y = body.op("Add", [y, _real(body, node, RESIDUAL)])
    if node.input(RESULT) is None:
        activation(body, node, y, "y0")
    else:
        activation(body, node, y, "a")
        quantized_result(body, node, "a", RESULT)


def _channels(node: Node, axis: int) -> int:
    shape = shape_of(node.input(X))
    return shape[axis] if shape is not None else 0


def _lookup_conv(node: Node, body: Body) -> None:
    """codes [A, M, S, kernel...]: y = activation(Conv(x, weight, bias) + r)."""
    weight = _weight(node, body, _channels(node, 1) // node.integer("group", 1))
    conv: dict[str, Any] = {k: node.attributes[k] for k in CONV_ATTRIBUTES if k in node.attributes}
    ins = [_real(body, node, X), weight, *(["x6"] if node.input(BIAS) is not None else [])]
    _end(body, node, body.op("Conv", ins, "", 1, **conv))


def _lookup_gemm(node: Node, body: Body) -> None:
    """x [..., rows, C], codes [A, N, S]: y = activation(x @ weight^T + bias + r)."""
    weight = body.op("Transpose", [_weight(node, body, _channels(node, -1))], perm=(1, 0))
    y = body.op("MatMul", [_real(body, node, X), weight])
    _end(body, node, body.op("Add", [y, "x6"]) if node.input(BIAS) is not None else y)


def _convolution(node: Node) -> int | None:
    """The multiplications that the look-ups stand for."""
    x, y, codes = (shape_of(v) for v in (node.input(X), node.output, node.input(CODES)))
    return None if x is None or y is None or codes is None else prod(y) * (x[1] // node.integer("group", 1)) * prod(codes[3:])


LOOKUP = (
    OwnOp("LookupConv", _lookup_conv, _convolution, numeric="integer", maps=True),
    OwnOp("LookupGemm", _lookup_gemm, product, numeric="integer"),
)
