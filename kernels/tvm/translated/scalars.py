"""Arithmetic on scalars by the rules of numba, in which kernels are written: its types of results and conversions.

A value is a number of Python or numpy, which is known while the kernel is written, or an expression of TIR.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import tirx

from edgeopt.kernels.call import Declined
from edgeopt.kernels.tvm.translated.vector_values import bound
from edgeopt.kernels.tvm.writer import Value

Scalar = Any
_NUMBERS = (bool, int, float, np.generic)
_TIR: dict[str, Callable[[Value, Value], Value]] = {
    "add": tirx.Add,
    "sub": tirx.Sub,
    "mul": tirx.Mul,
    "truediv": tirx.Div,
    "lshift": tirx.shift_left,
    "rshift": tirx.shift_right,
    "and_": tirx.bitwise_and,
    "or_": tirx.bitwise_or,
    "xor": tirx.bitwise_xor,
    "lt": tirx.LT,
    "le": tirx.LE,
    "gt": tirx.GT,
    "ge": tirx.GE,
    "eq": tirx.EQ,
    "ne": lambda a, b: tirx.Not(tirx.EQ(a, b)),  # true of what is not a number, which TVM's own is not
}
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")


def is_known(value: Scalar) -> bool:
    """Whether a scalar is known while the kernel is written."""
    return isinstance(value, _NUMBERS)


def dtype(value: Scalar) -> str:
    """The type of a scalar, as numba sees it."""
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, int):
        return "int64" if value < 1 << 63 else "uint64"
    if isinstance(value, float) and not isinstance(value, np.generic):
        return "float64"
    return str(value.dtype) if isinstance(value, np.generic) else str(value.ty.dtype)


def expression(value: Scalar) -> Value:
    """A scalar as TIR."""
    return tirx.const(value.item() if isinstance(value, np.generic) else value, dtype(value)) if is_known(value) else value


def cast(value: Scalar, to: str) -> Scalar:
    """A scalar of another type."""
    given = dtype(value)
    if given == to:
        return value
    if is_known(value) and not (to.startswith(("int", "uint")) and given.startswith("float")):
        with np.errstate(over="ignore", invalid="ignore"):
            made = np.asarray(value, given).astype(to)[()]
        return made if to != "int64" else int(made)
    if to == "bool":
        return tirx.NE(expression(value), tirx.const(0, given))
    return bound(tirx.Cast(to, expression(value)))


def common(a: str, b: str) -> str:
    """The type to which values of two types are brought where either may come."""
    if a == b:
        return a
    if "bool" in (a, b):
        return a if b == "bool" else b
    floats = [kind for kind in (a, b) if kind.startswith("float")]
    if len(floats) == 2:
        return "float64"
    if floats:
        other = a if floats[0] == b else b
        return floats[0] if _bits(other) < _bits(floats[0]) else "float64"
    signed = [kind for kind in (a, b) if kind.startswith("int")]
    bits = max(_bits(a), _bits(b))
    if len(signed) == 1 and _bits(signed[0]) <= bits:
        unsigned = a if signed[0] == b else b
        bits = max(_bits(signed[0]), min(64, 2 * _bits(unsigned)))
    return f"{'int' if signed else 'uint'}{bits}"


def _bits(kind: str) -> int:
    return 8 * np.dtype(kind).itemsize


def _result(name: str, a: str, b: str) -> str:
    """In what type ``name`` of two operands is computed."""
    if not a.startswith("float") and not b.startswith("float"):
        if name == "truediv":
            return "float64"
        if a == b == "bool" and name in ("and_", "or_", "xor"):
            return "bool"
        return "int64" if a.startswith(("int", "bool")) or b.startswith(("int", "bool")) else "uint64"
    if "float32" in (a, b) and all(kind == "float32" or _bits(kind) <= 16 for kind in (a, b)):
        return "float32"
    return "float64"


def binary(name: str, a: Scalar, b: Scalar) -> Scalar:
    """``name`` of module ``operator``, of two scalars. Raises Declined for one that kernels in TIR do not have."""
    kind = _result(name, dtype(a), dtype(b))
    if is_known(a) and is_known(b):
        return _known(name, a, b, kind)
    x, y = expression(cast(a, kind)), expression(cast(b, kind))
    if name in ("floordiv", "mod"):
        return _floor(name, x, y, b, kind)
    if name not in _TIR:
        raise Declined(f"it computes '{name}' of scalars")
    if kind == "bool":
        x, y = (tirx.Cast("int64", v) for v in (x, y))
        return tirx.NE(_TIR[name](x, y), tirx.const(0, "int64"))
    return _TIR[name](x, y)


def _known(name: str, a: Scalar, b: Scalar, kind: str) -> Scalar:
    compute = getattr(operator, name)
    if isinstance(a, int) and isinstance(b, int):
        return compute(int(a), int(b)) if kind != "bool" else compute(a, b)
    with np.errstate(all="ignore"):
        made = compute(*(np.asarray(v).astype(kind)[()] for v in (a, b)))
    return bool(made) if name in COMPARISONS else int(made) if kind == "int64" else made


def _floor(name: str, x: Value, y: Value, divisor: Scalar, kind: str) -> Value:
    """Division that rounds down, and its remainder."""
    if kind.startswith("float"):
        raise Declined(f"it computes '{name}' of floats")
    if kind.startswith("uint"):
        return (tirx.Div if name == "floordiv" else tirx.Mod)(x, y)
    x, y, zero = bound(x), bound(y), tirx.const(0, kind)
    rest = bound(tirx.Mod(x, y))
    off = tirx.LT(rest, zero)
    if not (is_known(divisor) and divisor > 0):
        off = tirx.And(tirx.NE(rest, zero), tirx.LT(tirx.bitwise_xor(rest, y), zero))
    if name == "mod":
        return bound(tirx.Select(off, tirx.Add(rest, y), rest))
    return bound(tirx.Sub(tirx.Div(x, y), tirx.Cast(kind, off)))


def negative(value: Scalar) -> Scalar:
    """-value."""
    if is_known(value):
        return -value if not isinstance(value, np.integer) else -int(value)
    kind = dtype(value)
    if kind.startswith("float"):
        return tirx.Mul(value, tirx.const(-1.0, kind))
    return cast(binary("sub", 0, value), kind if kind != "bool" else "int64")


def inverted(value: Scalar) -> Scalar:
    """Whether ``value`` is false."""
    if is_known(value):
        return not value
    return tirx.Not(cast(value, "bool"))


def least(values: list[Scalar], name: str) -> Scalar:
    """min (``name`` "lt") or max ("gt"): a later one is taken where it is less (greater)."""
    made = values[0]
    for value in values[1:]:
        kind = common(dtype(made), dtype(value))
        if is_known(made) and is_known(value):
            made = value if getattr(operator, name)(value, made) else made
            continue
        a, b = (bound(expression(cast(v, kind))) for v in (made, value))
        made = bound(tirx.Select(_TIR[name](b, a), b, a))
    return made
