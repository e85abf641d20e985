"""Values of vector code in TIR: expressions with the types that llvmlite has for them, and its constants as such."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from tvm import tirx
from tvm.ir.expr import TensorLoad
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script.builder import ir as build

from edgeopt.kernels.tvm.translated.memory import Pointer, count_of, dtype_of, element_of, llvm_type
from edgeopt.kernels.tvm.writer import Value, index

ONCE = "once"  # what memory is called that is written once


@dataclass(frozen=True, eq=False)
class Emitted:
    """A value: its type as llvmlite has it and its expression."""

    type: Any
    expr: Value


Operand: TypeAlias = Emitted | Pointer | ir.Constant


def bound(value: Value) -> Value:
    """``value``, computed here, and kept in memory of the function, which LLVM makes a register.

    What TVM gives a name it puts wherever the name stands, to see what it knows of numbers: without end where names stand twice.
    Truth is written where it is used; what it compares is bound.
    """
    kind = str(value.ty.dtype)
    if kind.startswith("bool") or isinstance(value, tirx.Var | tirx.IntImm | tirx.FloatImm):
        return value
    if isinstance(value, TensorLoad) and value.source.name == ONCE:
        return value
    element, lanes = kind.split("x")[0], int((kind.split("x") + ["1"])[1])
    place = index(0) if lanes == 1 else tirx.Ramp(index(0), index(1), lanes)
    memory = build.alloc_buffer((lanes,), element, scope="local")
    IRBuilder.name(ONCE, memory)
    build.buffer_store(memory, value, [place])
    return memory[place]


def expr(value: Operand) -> Value:
    """The expression of an operand that is no pointer."""
    return value.expr if isinstance(value, Emitted) else _constant(value)


def as_unsigned(value: Value) -> Value:
    """The same bits without a sign."""
    kind = str(value.ty.dtype)
    return tirx.Cast(kind.replace("int", "uint", 1), value) if kind.startswith("int") else value


def truth_of(kind: Any) -> Any:
    """The type of a comparison of values of ``kind``."""
    return ir.VectorType(ir.IntType(1), kind.count) if isinstance(kind, ir.VectorType) else ir.IntType(1)


def is_nan(value: Value) -> Value:
    """Whether a float is not a number, by its bits: TVM takes x == x for true."""
    kind, _, lanes = str(value.ty.dtype).removeprefix("float").partition("x")
    wide = f"int{kind}"
    infinite = int(np.array(np.inf, f"float{kind}").view(wide))

    def all_of(number: int) -> Value:
        return splat(tirx.const(number, wide), int(lanes or 1))

    bits = tirx.reinterpret(f"{wide}x{lanes}" if lanes else wide, value)
    return tirx.GT(tirx.bitwise_and(bits, all_of((1 << int(kind) - 1) - 1)), all_of(infinite))


def splat(value: Value, count: int) -> Value:
    """A scalar in every lane."""
    return value if count == 1 else tirx.Broadcast(value, count)


def numbers_of(value: ir.Constant) -> list[Any]:
    """The elements of a constant; what is undefined is zero."""
    if value.constant is ir.Undefined or value.constant is None:
        return [0] * count_of(value.type)
    given = list(value.constant) if isinstance(value.type, ir.VectorType) else [value.constant]
    numbers = [getattr(number, "constant", number) for number in given]
    return [0 if number is ir.Undefined or number is None else number for number in numbers]


def _constant(value: ir.Constant) -> Value:
    dtype, numbers = dtype_of(element_of(value.type)), numbers_of(value)
    scalars = [tirx.const(_within(number, dtype), dtype) for number in numbers]
    if len({repr(number) for number in numbers}) == 1:
        return splat(scalars[0], len(scalars))
    return tirx.Shuffle(scalars, [tirx.const(i, "int32") for i in range(len(scalars))])


def _within(number: Any, dtype: str) -> Any:
    """An integer as the signed one of the same bits."""
    if not dtype.startswith("int"):
        return number
    bits = int(dtype[3:])
    return (int(number) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def scalar(dtype: str, expr: Value) -> Emitted:
    """A scalar of the kernel itself, as vector functions take it."""
    return Emitted(llvm_type(dtype), tirx.Cast(dtype.removeprefix("u"), expr) if dtype.startswith("uint") else expr)
