"""QuantizeLinear and its kin: scales and zero points for the whole, for an axis or for blocks, and integer products."""

from __future__ import annotations

import numpy as np

from edgeopt.ir.match import code_limits
from edgeopt.ops.code_limits import BYTES, whole_range
from edgeopt.ops.contracts.convolution import channels_of, convolution
from edgeopt.ops.contracts.operands import Operands, Shape, size
from edgeopt.ops.contracts.products import product


def divisor(operands: Operands, index: int) -> None:
    """A constant scale that results are divided by is positive and finite."""
    array = operands.array(index)
    if array is not None:
        values = array.astype(np.float64)
        good = bool((np.isfinite(values) & (values > 0)).all())
        operands.need(good, f"{operands.label(index)} holds a scale that is not positive and finite")


def factor(operands: Operands, *indices: int) -> None:
    """Constant scales that codes are multiplied by are finite and not negative."""
    for index in indices:
        array = operands.array(index)
        if array is not None:
            values = array.astype(np.float64)
            good = bool((np.isfinite(values) & (values >= 0)).all())
            operands.need(good, f"{operands.label(index)} holds a scale that is negative or not finite")


def _grid(operands: Operands) -> None:
    """A scale of one number, of one for each place of ``axis``, or of one for each block along it; zero points likewise."""
    x, scale = operands.shape(0), operands.shape(1)
    operands.fits(2, scale, *(((), (1,)) if size(scale) == 1 else ()))
    if size(scale) != 1 or len(scale) > 1:
        axis = operands.axis(operands.node.integer("axis", 1), operands.rank(0, 1))
        block = operands.node.integer("block_size", 0)
        operands.need(block >= 0, f"the block size is {block}")
        blocks = (*x[:axis], -(-x[axis] // block), *x[axis + 1 :]) if block else (x[axis],)
        operands.fits(1, (x[axis],) if not block else blocks)
    operands.yields(x)


def _quantize(operands: Operands) -> None:
    divisor(operands, 1)
    result = operands.node.outputs[0].type
    if operands.given(2) and result is not None and result.proto is None:
        text = f"{operands.label(2)} is {operands.dtype(2)}, the result is {result.dtype}"
        operands.need(operands.dtype(2) == result.dtype, text)
    _grid(operands)


def _dequantize(operands: Operands) -> None:
    operands.same_type(0, 2)
    _grid(operands)


def _dynamic_quantize(operands: Operands) -> None:
    operands.yields(operands.shape(0))
    operands.yields((), 1)
    operands.yields((), 2)


def result_grid(operands: Operands, scale: int) -> None:
    """The scale and the zero point of the result are one number each, the zero point of the type of the result."""
    operands.single(scale, scale + 1)
    divisor(operands, scale)
    result = operands.node.outputs[0].type
    if operands.given(scale + 1) and result is not None and result.proto is None:
        text = f"{operands.label(scale + 1)} is {operands.dtype(scale + 1)}, the result is {result.dtype}"
        operands.need(operands.dtype(scale + 1) == result.dtype, text)
    limits = code_limits(operands.node)
    if limits is not None and result is not None and result.proto is None:
        low, high = whole_range(result.dtype) if result.dtype in BYTES else (0, -1)
        operands.need(low <= limits[0] <= limits[1] <= high, f"its codes are {result.dtype}, limited to {list(limits)}")


def per_channel(operands: Operands, scale: int, channels: int) -> None:
    """The scale and the zero point after it hold one number, or one for each output channel."""
    for index in (scale, scale + 1):
        operands.fits(index, (), (1,), (channels,))


def _linear_conv(operands: Operands) -> None:
    """x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias."""
    operands.single(1, 2)
    operands.same_type(0, 2)
    operands.same_type(3, 5)
    per_channel(operands, 4, channels_of(operands, 3))
    factor(operands, 1, 4)
    operands.typed(8, "int32")
    result_grid(operands, 6)
    convolution(3, 8)(operands)


def _integer_conv(operands: Operands) -> None:
    operands.single(2)
    operands.same_type(0, 2)
    operands.same_type(1, 3)
    rule = convolution(1)
    rule(operands)
    operands.fits(3, (), (1,), (operands.shape(1)[0],))


def _sides(operands: Operands, right: int) -> tuple[list[Shape], list[Shape]]:
    """Shapes of what belongs to the rows of the left and to the columns of the right factor."""
    a, b = operands.shape(0), operands.shape(right)
    rows, columns = a[-2] if len(a) > 1 else 1, b[-1] if len(b) > 1 else 1
    left: list[Shape] = [(), (1,), (rows,), (*a[:-1], 1)]
    return left, [(), (1,), (columns,), (*b[:-2], 1, columns)]


def _integer_product(operands: Operands) -> None:
    operands.same_type(0, 2)
    operands.same_type(1, 3)
    operands.yields(product(operands, 0, 1))
    left, right = _sides(operands, 1)
    operands.fits(2, *left)
    operands.fits(3, *right)


def _linear_product(operands: Operands) -> None:
    """a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero."""
    operands.same_type(0, 2)
    operands.same_type(3, 5)
    operands.yields(product(operands, 0, 3))
    left, right = _sides(operands, 3)
    for index in (1, 2):
        operands.fits(index, *left)
    for index in (4, 5):
        operands.fits(index, *right)
    factor(operands, 1, 4)
    result_grid(operands, 6)


RULES = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "QLinearConv": _linear_conv,
    "ConvInteger": _integer_conv,
    "QLinearMatMul": _linear_product,
    "MatMulInteger": _integer_product,
}
