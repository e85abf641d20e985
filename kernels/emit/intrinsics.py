"""The few primitives that numba's pointers lack, for use inside kernel functions.

``inline`` marks a Python function that kernels call: numba inlines it before type inference, so a captured kernel is one
function. Pointer types are created by ``pointer`` from an element type name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Builder = Any


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is inlined into every kernel that calls it."""
    return numba.njit(inline="always")(function)  # type: ignore[no-any-return]


_ELEMENTS = {"bool": types.uint8, "float16": types.uint16, "bfloat16": types.uint16}
_ELEMENTS |= {"int4": types.int8, "uint4": types.uint8, "int2": types.int8, "uint2": types.uint8}


def pointer(dtype: str) -> types.CPointer:
    """The numba pointer type for elements of ``dtype`` (bool, 16-bit floats and sub-byte integers are seen as integers)."""
    return types.CPointer(_ELEMENTS.get(dtype) or getattr(types, dtype))


@intrinsic
def offset(context: Any, base: Any, count: Any) -> Any:
    """``offset(p, n)``: the pointer n elements after p."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return base(base, types.int64), generate


def _unary(name: str) -> Any:
    @intrinsic
    def call(context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
            kind = arguments[0].type
            function = builder.module.declare_intrinsic(f"llvm.{name}", [kind])
            return builder.call(function, arguments)

        return x(x), generate

    call.__doc__ = f"``llvm.{name}`` on a float scalar, outside fast-math."
    return call


sqrt = _unary("sqrt")
rint = _unary("rint")
floor = _unary("floor")
ceil = _unary("ceil")
fabs = _unary("fabs")


@intrinsic
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c for float scalars in one rounding, on every target alike; contraction by LLVM is up to the target."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return c(c, c, c), generate


@intrinsic
def bits_to_float(context: Any, x: Any) -> Any:
    """Reinterpret an int32 as float32."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic
def float_to_bits(context: Any, x: Any) -> Any:
    """Reinterpret a float32 as int32."""

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def one_by_one(context: Any) -> Any:
    """The turns of the loop that calls this are computed one after the other, each like every other one.

    Where the loops inside are short, LLVM unrolls them and then computes several chunks at a time in vectors. The chunks that are
    left over add up in another order, and which ones these are depends on how threads share them: results would be neither
    those of one thread nor the same in every run.
    """

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Any:
        builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], True)  # no instruction, but none that vectors have
        return context.get_dummy_value()

    return types.none(), generate
