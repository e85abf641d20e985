"""What the functions mean that kernels call: casts, addresses, and the primitives that numba's language lacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core.dispatcher import Dispatcher
from tvm import tirx
from tvm.tirx.script.builder import ir as build

from edgeopt.kernels.call import Declined
from edgeopt.kernels.emit import intrinsics
from edgeopt.kernels.emit import math as vector_scalars
from edgeopt.kernels.emit.vector_function import VectorFunction
from edgeopt.kernels.tvm.translated import scalars
from edgeopt.kernels.tvm.translated.memory import Pointer, moved, with_offset
from edgeopt.kernels.tvm.translated.vector_builder import VectorBuilder
from edgeopt.kernels.tvm.translated.vector_values import bound, scalar
from edgeopt.kernels.tvm.writer import spelled
from edgeopt.kernels.walk import strided

_EXTERNAL = (
    *("exp", "log", "log1p", "expm1", "tanh", "erf", "pow", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "asinh", "acosh", "atanh"),
)
_ROUNDINGS = ("sqrt", "floor", "ceil", "fabs")


def python_function(callee: Any) -> Callable[..., Any] | None:
    """The function of Python whose statements stand for a call of ``callee``; None where it means something by itself."""
    if isinstance(callee, Dispatcher):
        return callee.py_func  # type: ignore[no-any-return]
    return None


def called(builder: VectorBuilder, callee: Any, arguments: list[Any]) -> Any:
    """The value of a call that is no function of Python. Raises Declined for what has no TIR."""
    if isinstance(callee, VectorFunction):
        return callee.write(builder, *(a if isinstance(a, Pointer) else _given(a) for a in arguments))
    if isinstance(callee, type) and issubclass(callee, np.generic | int | float):
        return scalars.cast(arguments[0], np.dtype(callee).name)
    found = next((compute for known, compute in _KNOWN if known is callee), None)
    if found is not None:
        return found(*arguments)
    if callee in _MATH:
        return _external(_MATH[callee], *arguments)
    raise Declined(f"it calls '{getattr(callee, '__name__', callee)}', which has no TIR")


def _given(value: Any) -> Any:
    kind = scalars.dtype(value)
    if scalars.is_known(value) and kind == "int64":
        return ir.Constant(ir.IntType(64), int(value))
    return scalar(kind, bound(scalars.expression(value)))


def _external(name: str, *arguments: Any) -> Any:
    """A function of the C library, in single precision for floats of single precision."""
    if all(scalars.is_known(a) for a in arguments) and hasattr(math, name):
        return getattr(math, name)(*arguments)
    kind = "float32" if {scalars.dtype(a) for a in arguments} == {"float32"} else "float64"
    values = [scalars.expression(scalars.cast(a, kind)) for a in arguments]
    if name in _ROUNDINGS:
        return bound(tirx.call_llvm_pure_intrin(kind, f"llvm.{name}", *values))
    return bound(tirx.call_pure_extern(kind, name if kind == "float64" else f"{name}f", *values))


def _offset(pointer: Pointer, count: Any) -> Pointer:
    made = moved(pointer, scalars.cast(count, "int64"))
    return made if isinstance(made.offset, int) else with_offset(made, bound(made.offset))


def _unary(name: str) -> Callable[[Any], Any]:
    def compute(x: Any) -> Any:
        value = scalars.expression(x)
        return bound(tirx.call_llvm_pure_intrin(scalars.dtype(x), f"llvm.{name}", value))

    return compute


def _ternary(name: str) -> Callable[[Any, Any, Any], Any]:
    def compute(a: Any, b: Any, c: Any) -> Any:
        kind = scalars.dtype(c)
        values = [scalars.expression(scalars.cast(v, kind)) for v in (a, b, c)]
        return bound(tirx.call_llvm_pure_intrin(kind, f"llvm.{name}", *values))

    return compute


def _bits(given: str, made: str) -> Callable[[Any], Any]:
    return lambda x: bound(tirx.reinterpret(made, scalars.expression(scalars.cast(x, given))))


def _fmod(a: Any, b: Any) -> Any:
    kind = scalars.dtype(a)
    values = (scalars.expression(scalars.cast(v, kind)) for v in (a, b))
    return bound(spelled(kind, f"frem.{kind}", *values))


def _unsigned(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compute(a: Any, b: Any) -> Any:
        kind = scalars.dtype(a)
        x, y = (tirx.Cast(f"u{kind.removeprefix('u')}", scalars.expression(scalars.cast(v, kind))) for v in (a, b))
        return bound(tirx.Cast(kind, operation(x, y)))

    return compute


def _absolute(x: Any) -> Any:
    kind = scalars.dtype(x)
    if scalars.is_known(x):
        return abs(x)
    if kind.startswith("float"):
        return _unary("fabs")(x)
    return scalars.least([x, scalars.negative(x)], "gt")


def _one_by_one() -> None:
    build.evaluate(spelled("void", "turn"))


_KNOWN: list[tuple[Any, Callable[..., Any]]] = [
    (intrinsics.offset, _offset),
    *((getattr(intrinsics, name), _unary(name)) for name in ("sqrt", "rint", "floor", "ceil", "fabs")),
    (intrinsics.fma, _ternary("fma")),
    (intrinsics.bits_to_float, _bits("int32", "float32")),
    (intrinsics.float_to_bits, _bits("float32", "int32")),
    (intrinsics.one_by_one, _one_by_one),
    (strided.quotient, _unsigned(tirx.Div)),
    (strided.remainder, _unsigned(tirx.Mod)),
    (vector_scalars.multiply_add, _ternary("fmuladd")),
    (vector_scalars.fmod, _fmod),
    (min, lambda *values: scalars.least(list(values), "lt")),
    (max, lambda *values: scalars.least(list(values), "gt")),
    (abs, _absolute),
    (len, len),
]
_MATH = {getattr(math, name): name for name in (*_EXTERNAL, *_ROUNDINGS)}
