"""Our own operators on codes: Quant*, Dynamic* and Hybrid*, whose operands lie as their definitions in edgeopt.ops say."""

from __future__ import annotations

from edgeopt.ops.contracts.convolution import channels_of, convolution, transposed, transposed_channels
from edgeopt.ops.contracts.operands import Operands, broadcast
from edgeopt.ops.contracts.pooling import global_pool, pool
from edgeopt.ops.contracts.products import product
from edgeopt.ops.contracts.quantization import factor, per_channel, result_grid
from edgeopt.ops.contracts.reductions import softmax

_BYTES = ("uint8", "int8")
_WEIGHTS = ("int8", "int4", "int2", "float16")
_CODES = (*_BYTES, "uint16", "int16")


def codes(operands: Operands, *firsts: int) -> None:
    """Codes, scale and zero point of one tensor each: one number of the type of the codes."""
    for first in firsts:
        if operands.given(first):
            operands.typed(first, *_CODES)
            operands.single(first + 1, first + 2)
            operands.same_type(first, first + 2)
            factor(operands, first + 1)


def _columns(operands: Operands, weight: int) -> int:
    operands.rank(weight, 2, 2)
    return operands.shape(weight)[1]


def _product(operands: Operands, weight: int, bias: int, residual: int | None = None) -> None:
    shape = product(operands, 0, weight)
    operands.spreads(bias, shape)
    if residual is not None:
        operands.fits(residual, shape)
    operands.yields(shape)


def _quant_conv(operands: Operands) -> None:
    codes(operands, 0, 9)
    _quantized_weight(operands, channels_of(operands, 3))
    convolution(3, 6, 9)(operands)


def _quant_conv_transpose(operands: Operands) -> None:
    codes(operands, 0)
    transposed_channels(operands, 3)
    _quantized_weight(operands, operands.shape(3)[1])
    transposed(3, 6)(operands)


def _quant_gemm(operands: Operands) -> None:
    codes(operands, 0, 9)
    _quantized_weight(operands, _columns(operands, 3))
    _product(operands, 3, 6, 9)


def _quantized_weight(operands: Operands, channels: int) -> None:
    operands.same_type(3, 5)
    operands.typed(6, "int32")
    per_channel(operands, 4, channels)
    factor(operands, 4)
    result_grid(operands, 7)


def _dynamic(operands: Operands, channels: int) -> None:
    operands.typed(0, *_BYTES)
    operands.single(1, 2)
    operands.same_type(0, 2)
    operands.same_type(3, 5)
    operands.typed(6, "float32")
    per_channel(operands, 4, channels)


def _dynamic_conv(operands: Operands) -> None:
    _dynamic(operands, channels_of(operands, 3))
    convolution(3, 6)(operands)


def _dynamic_gemm(operands: Operands) -> None:
    _dynamic(operands, _columns(operands, 3))
    _product(operands, 3, 6)


def _hybrid(operands: Operands, channels: int) -> None:
    operands.typed(1, *_WEIGHTS)
    operands.same_type(0, 2, 3, 4)
    operands.fits(2, (), (1,), (channels,))


def _hybrid_conv(operands: Operands) -> None:
    _hybrid(operands, channels_of(operands, 1))
    convolution(1, 3, 4)(operands)


def _hybrid_gemm(operands: Operands) -> None:
    _hybrid(operands, _columns(operands, 1))
    _product(operands, 1, 3, 4)


def _binary(operands: Operands) -> None:
    codes(operands, 0, 3)
    result_grid(operands, 6)
    operands.yields(broadcast(operands, (0, 3)))


def _matmul(operands: Operands) -> None:
    codes(operands, 0, 3)
    result_grid(operands, 6)
    operands.yields(product(operands, 0, 3))


def _scale_shift(operands: Operands) -> None:
    codes(operands, 0)
    result_grid(operands, 5)
    shape = operands.shape(0)
    operands.rank(0, 2)
    for index in (3, 4):
        operands.typed(index, "float32")
        operands.fits(index, (shape[1], *[1] * (len(shape) - 2)))
    operands.yields(shape)


def _average(operands: Operands) -> None:
    codes(operands, 0)
    result_grid(operands, 3)
    pool(operands)


def _global_average(operands: Operands) -> None:
    codes(operands, 0)
    result_grid(operands, 3)
    global_pool(operands)


def _softmax(operands: Operands) -> None:
    codes(operands, 0)
    result_grid(operands, 3)
    softmax(operands)


def _concat(operands: Operands) -> None:
    """y_scale, y_zero, then codes, scale and zero point of each part."""
    result_grid(operands, 0)
    starts = range(2, operands.count, 3)
    first, total = operands.shape(2), 0
    axis = operands.axis(operands.node.integer("axis", 1), operands.rank(2, 1))
    for index in starts:
        codes(operands, index)
        part = operands.shape(index)
        good = len(part) == len(first) and all(i == axis or a == b for i, (a, b) in enumerate(zip(part, first, strict=True)))
        operands.need(good, f"{operands.label(index)} of shape {list(part)} does not join {list(first)} along axis {axis}")
        total += part[axis]
    operands.yields((*first[:axis], total, *first[axis + 1 :]))


def _lookup(operands: Operands) -> None:
    operands.typed(0, *_BYTES)
    operands.vector(1, 256)
    operands.yields(operands.shape(0))


RULES = {
    "QuantConv": _quant_conv,
    "QuantConvTranspose": _quant_conv_transpose,
    "QuantGemm": _quant_gemm,
    "QuantAdd": _binary,
    "QuantMul": _binary,
    "QuantMatMul": _matmul,
    "QuantScaleShift": _scale_shift,
    "QuantAveragePool": _average,
    "QuantGlobalAveragePool": _global_average,
    "QuantSoftmax": _softmax,
    "QuantConcat": _concat,
    "QuantLookup": _lookup,
    "DynamicConv": _dynamic_conv,
    "DynamicGemm": _dynamic_gemm,
    "HybridConv": _hybrid_conv,
    "HybridGemm": _hybrid_gemm,
}
