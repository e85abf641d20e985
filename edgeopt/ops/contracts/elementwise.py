"""Operators that compute each element of the result from one element of every input."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands, broadcast

_UNARY = """Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish IsInf
IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Silu Sin Sinh Softplus Softsign Sqrt Swish Tan
Tanh ThresholdedRelu Cast""".split()
_BROADCAST = """Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Mod Mul Or Pow
Sub Xor Max Min Mean Sum Where""".split()


def unary(operands: Operands) -> None:
    """The result has the shape of the input."""
    operands.yields(operands.shape(0))


def together(operands: Operands) -> None:
    """All inputs broadcast together, to the shape of the result."""
    operands.yields(broadcast(operands, range(operands.count)))


def _clip(operands: Operands) -> None:
    operands.single(1, 2)
    operands.same_type(0, 1, 2)
    operands.yields(operands.shape(0))


def _prelu(operands: Operands) -> None:
    operands.spreads(1, operands.shape(0))
    operands.yields(operands.shape(0))


def _dropout(operands: Operands) -> None:
    operands.single(1, 2)
    operands.yields(operands.shape(0))
    operands.yields(operands.shape(0), 1)


RULES = {
    **dict.fromkeys(_UNARY, unary),
    **dict.fromkeys(_BROADCAST, together),
    "CastLike": unary,
    "Clip": _clip,
    "PRelu": _prelu,
    "Dropout": _dropout,
}
