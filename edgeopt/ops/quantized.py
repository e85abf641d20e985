"""Integer operators with explicit grids. Each means DequantizeLinear of its inputs, the float operator, QuantizeLinear.

Every tensor comes as three inputs: codes, scale, zero point. ``y_scale`` and ``y_zero`` give the grid of the result, whose
element type is that of ``y_zero``; where both are left out of ``QuantConv`` or ``QuantGemm`` the result is float32. ``low`` and
``high`` limit codes of 8 bits more narrowly than their type. Kernels sum products of codes in 32 bits and round once, which may
differ from the body by one code where its float sum rounds the other way.
"""

from __future__ import annotations

from edgeopt.ir import Node
from edgeopt.ops.code_limits import quantized_result
from edgeopt.ops.definition import Body, OwnOp, activation
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.ops.work import Count, convolution, no_work, product, transposed_convolution

WEIGHT, BIAS, RESULT, RESIDUAL = 3, 6, 7, 9
TRANSPOSED_ATTRIBUTES = (*CONV_ATTRIBUTES, "output_padding", "output_shape")
POOL_ATTRIBUTES = ("auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides")


def _real(body: Body, node: Node, index: int, axis: int | None = None) -> str:
    """The float32 values of the three inputs from ``index`` on; ``axis`` counts where the scale is a vector."""
    present = [i for i in range(index, index + 3) if node.input(i) is not None]
    return body.op("DequantizeLinear", [f"x{i}" for i in present], axis=axis)


def _codes(body: Body, node: Node, y: str, index: int) -> None:
    """The result on the grid of inputs ``index`` and ``index + 1``, or as it is."""
    if node.input(index) is None:
        body.op("Identity", [y], "y0")
    else:
        quantized_result(body, node, y, index)


def _bias(body: Body, repeated: int = 1) -> str:
    """The bias in real values; ``repeated`` times the scales of the weight make one for each output."""
    scale = body.op("Mul", ["x1", "x4"])
    if repeated > 1:
        scale = body.op("Tile", [scale, body.constant([repeated], "int64")])
    return body.op("DequantizeLinear", [f"x{BIAS}", scale], axis=0)


def _end(body: Body, node: Node, y: str) -> None:
    if node.input(RESIDUAL) is not None:
        y = body.op("Add", [y, _real(body, node, RESIDUAL)])
    activation(body, node, y, "a")
    _codes(body, node, "a", RESULT)


def _quant_conv(node: Node, body: Body) -> None:
    """x, x_scale, x_zero, w [M, C/g, kernel...], w_scale, w_zero, bias (int32 of scale x_scale w_scale), y_scale, y_zero,

    r, r_scale, r_zero. y = activation(Conv(x, w, bias) + r). All from ``bias`` on may be left out.
    """
    ins = [_real(body, node, 0), _real(body, node, WEIGHT, 0), *([_bias(body)] if node.input(BIAS) is not None else [])]
    conv = {k: node.attributes[k] for k in CONV_ATTRIBUTES if k in node.attributes}
    _end(body, node, body.op("Conv", ins, "", 1, **conv))


def _quant_conv_transpose(node: Node, body: Body) -> None:
    """Inputs as of QuantConv, with w [C, M / g, kernel...]; one scale in all, or for each of the M / g outputs of all groups."""
    scales = node.input(WEIGHT + 1)
    vector = scales is not None and scales.type is not None and scales.type.dims not in ((), (1,))
    bias = [] if node.input(BIAS) is None else [_bias(body, node.integer("group", 1) if vector else 1)]
    ins = [_real(body, node, 0), _real(body, node, WEIGHT, 1), *bias]
    conv = {k: node.attributes[k] for k in TRANSPOSED_ATTRIBUTES if k in node.attributes}
    _end(body, node, body.op("ConvTranspose", ins, "", 1, **conv))


def _quant_gemm(node: Node, body: Body) -> None:
    """Inputs as of QuantConv, with w [K, N]. y = activation(x @ w + bias + r)."""
    y = body.op("MatMul", [_real(body, node, 0), _real(body, node, WEIGHT, 1)])
    if node.input(BIAS) is not None:
        y = body.op("Add", [y, _bias(body)])
    _end(body, node, y)


def _binary(op: str, macs: Count = no_work) -> OwnOp:
    def build(node: Node, body: Body) -> None:
        """a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero. y = activation(op(a, b)).

        ``ratios`` lets the kernel of a sum multiply codes by ratios of scales, which rounds otherwise where it is close.
        """
        y = body.op(op, [_real(body, node, 0), _real(body, node, 3)])
        activation(body, node, y, "a")
        _codes(body, node, "a", 6)

    return OwnOp(f"Quant{op}", build, macs, numeric="integer")


def _quant_scale_shift(node: Node, body: Body) -> None:
    """x, x_scale, x_zero, factor and offset (float32, [C, 1, ...] for channels on axis 1), y_scale, y_zero.

    y = activation(x * factor + offset).
    """
    y = body.op("Add", [body.op("Mul", [_real(body, node, 0), "x3"]), "x4"])
    activation(body, node, y, "a")
    _codes(body, node, "a", 5)


def _unary(op: str, attributes: tuple[str, ...]) -> OwnOp:
    def build(node: Node, body: Body) -> None:
        """x, x_scale, x_zero, y_scale, y_zero, and the attributes of the float operator."""
        kept = {k: node.attributes[k] for k in attributes if k in node.attributes}
        _codes(body, node, body.op(op, [_real(body, node, 0)], "", 1, **kept), 3)

    return OwnOp(f"Quant{op}", build, numeric="integer")


def _quant_concat(node: Node, body: Body) -> None:
    """y_scale, y_zero, then codes, scale and zero point of each part. Joined along ``axis``."""
    parts = [_real(body, node, i) for i in range(2, len(node.inputs), 3)]
    _codes(body, node, body.op("Concat", parts, axis=node.integer("axis", 1)), 0)


def _quant_lookup(node: Node, body: Body) -> None:
    """x (8-bit codes), table (256 codes of the result, from the lowest code of x on): any function of one variable."""
    codes = body.op("Cast", ["x0"], to=6)
    source = node.input(0)
    if source is not None and source.type is not None and source.type.dtype == "int8":
        codes = body.op("Add", [codes, body.constant(128, "int32")])
    body.op("Gather", ["x1", codes], "y0")


QUANTIZED = (
    OwnOp("QuantConv", _quant_conv, convolution(3), numeric="integer", maps=True),
    OwnOp("QuantConvTranspose", _quant_conv_transpose, transposed_convolution(3), numeric="integer", maps=True),
    OwnOp("QuantGemm", _quant_gemm, product, numeric="integer"),
    OwnOp("QuantScaleShift", _quant_scale_shift, numeric="integer"),
    _binary("Add"),
    _binary("Mul"),
    _binary("MatMul", product),
    _unary("AveragePool", POOL_ATTRIBUTES),
    _unary("GlobalAveragePool", ()),
    _unary("Softmax", ("axis",)),
    OwnOp("QuantConcat", _quant_concat, numeric="integer"),
    OwnOp("QuantLookup", _quant_lookup, numeric="integer"),
)
