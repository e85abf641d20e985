"""Writes the TIR of one kernel: a function of raw pointers and a range of chunks, with indices of 64 bits.

A kernel declares nothing about alignment. Vectors are ramps; a loop of Python is unrolled, ``loop`` is one of TIR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script.builder import ir as build

from edgeopt.target import Target

Value = Any
_ENDLESS = 1 << 48  # elements of a buffer of which only the address is known
DEVICE_KERNEL = 2  # TVM's convention for functions that are called with their arguments as they are


class Writer:
    """The function being written for ``target``: ``buffers`` are its operands, ``lanes`` those of a float vector."""

    def __init__(self, target: Target, buffers: Sequence[Value]) -> None:
        self.target, self.buffers, self.lanes = target, buffers, target.lanes

    @contextmanager
    def loop(self, first: Value, last: Value | None = None) -> Iterator[Value]:
        """``for i in range(first, last)``, or up to ``first`` alone."""
        bounds = (0, first) if last is None else (first, last)
        with build.serial(*map(index, bounds)) as i:
            yield i

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """What is written inside runs where ``condition`` holds."""
        with build.If(condition), build.Then():
            yield

    def either(self, condition: Value, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """One of two pieces of code."""
        with build.If(condition):
            with build.Then():
                then()
            with build.Else():
                otherwise()

    def local(self, elements: int, dtype: str = "float32") -> Value:
        """Memory of the function, in registers where all indices are constant."""
        return build.alloc_buffer((elements,), dtype, scope="local")

    def load(self, buffer: Value, at: Value, lanes: int = 1) -> Value:
        """``lanes`` neighbours from element ``at`` on."""
        return buffer[_place(at, lanes)]

    def store(self, buffer: Value, value: Value, at: Value) -> None:
        """Store a vector or a scalar from element ``at`` on."""
        build.buffer_store(buffer, value, [_place(at, lanes_of(value))])

    def load_first(self, buffer: Value, at: Value, lanes: int) -> Value:
        """A whole vector of which only the first ``lanes`` are read; the others are zero."""
        if lanes >= self.lanes:
            return self.load(buffer, at, self.lanes)
        edge = self.local(self.lanes)
        self.store(edge, constant(0.0, self.lanes), 0)
        for lane in range(lanes):
            self.store(edge, self.load(buffer, at + lane), lane)
        return let(self.load(edge, 0, self.lanes))

    def store_first(self, buffer: Value, value: Value, at: Value, lanes: int) -> None:
        """Store the first ``lanes`` of a whole vector only."""
        if lanes >= self.lanes:
            return self.store(buffer, value, at)
        edge = self.local(self.lanes)
        self.store(edge, value, 0)
        for lane in range(lanes):
            self.store(buffer, self.load(edge, lane), at + lane)
        return None


def index(value: Value) -> Value:
    """An int64 expression."""
    if isinstance(value, (int, np.integer)):
        return tirx.const(int(value), "int64")
    return value if type_of(value) == "int64" else value.astype("int64")


def let(value: Value) -> Value:
    """``value``, computed once, here.

    TVM's simplifier puts the value of a name wherever the name stands, so that formulas in which names stand twice would grow
    exponentially. It leaves memory alone: what is no index is stored, and LLVM keeps it in a register.
    """
    kind = type_of(value)
    if kind == "int64":
        return build.bind(value)
    made = build.alloc_buffer((lanes_of(value),), kind.split("x")[0], scope="local")
    place = _place(0, lanes_of(value))
    build.buffer_store(made, value, [place])
    return made[place]


def type_of(value: Value) -> str:
    """The type of an expression, such as ``float32x16``."""
    return str(value.ty.dtype)


def lanes_of(value: Value) -> int:
    """Elements of a vector; 1 for a scalar."""
    kind = type_of(value)
    return int(kind.split("x")[1]) if "x" in kind else 1


def _place(at: Value, lanes: int) -> Value:
    return index(at) if lanes == 1 else tirx.Ramp(index(at), index(1), lanes)


def splat(value: Value, lanes: int) -> Value:
    """A scalar in every lane."""
    return value if lanes == 1 else tirx.Broadcast(value, lanes)


def constant(value: float, lanes: int, dtype: str = "float32") -> Value:
    """A constant in every lane."""
    return splat(tirx.const(value, dtype), lanes)


def shuffle(value: Value, lanes: Sequence[int]) -> Value:
    """Lanes of a vector."""
    return tirx.Shuffle([value], [tirx.const(lane, "int32") for lane in lanes])


def quotient(a: Value, b: int) -> Value:
    """a // b of numbers that are not negative."""
    return tirx.truncdiv(a, index(b))


def remainder(a: Value, b: int) -> Value:
    """a % b of numbers that are not negative."""
    return tirx.truncmod(a, index(b))


def smaller(a: Value, b: Value) -> Value:
    """The lesser of two indices."""
    return tirx.min(index(a), index(b))


def intrinsic(name: str, *arguments: Value) -> Value:
    """An LLVM intrinsic of the type of its first argument, such as ``fma``."""
    return tirx.call_llvm_pure_intrin(type_of(arguments[0]), f"llvm.{name}", *arguments)


def fma(a: Value, b: Value, c: Value) -> Value:
    """a * b + c, in one rounding where the target has the instruction."""
    return intrinsic("fmuladd", a, b, c)


def stored_type(dtype: str) -> str:
    """The element type under which TIR moves elements of ``dtype``: what it cannot calculate with it moves as whole numbers."""
    return {"bool": "uint8", "float16": "uint16", "bfloat16": "uint16"}.get(dtype, dtype)


def written(target: Target, dtypes: Sequence[str], body: Callable[[Writer, Value], None]) -> Value:
    """The PrimFunc ``kernel(pointers, begin, end)`` whose chunks ``body(writer, chunk)`` computes."""
    with IRBuilder() as builder, build.prim_func():
        build.func_name("kernel")
        kinds = [stored_type(dtype) for dtype in dtypes]
        pointers = [build.arg(f"p{i}", build.handle(kind)) for i, kind in enumerate(kinds)]
        begin, end = build.arg("begin", build.int64()), build.arg("end", build.int64())
        build.func_attr({"global_symbol": "kernel", "calling_conv": DEVICE_KERNEL, "tirx.noalias": True})
        buffers = [build.decl_buffer((_ENDLESS,), kind, data=p) for p, kind in zip(pointers, kinds, strict=True)]
        with build.serial(begin, end) as chunk:
            body(Writer(target, buffers), chunk)
    return builder.get()
