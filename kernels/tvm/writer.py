"""Writes the TIR of one kernel: a function of raw pointers and a range of chunks, with indices of 64 bits.

A kernel declares nothing about alignment. Vectors are ramps; a loop of Python is unrolled, ``loop`` is one of TIR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script.builder import ir as build

from edgeopt.target import Target

Value = Any
_ENDLESS = 1 << 48  # elements of a buffer of which only the address is known
_ALIGNED = tirx.const(4, "int32")  # bytes at which floats are known to lie
KEPT = "kept"  # what loops are called that LLVM is not to unroll (``edgeopt.codegen.tvm_spelling``)
DEVICE_KERNEL = 2  # TVM's convention for functions that are called with their arguments as they are


class Writer:
    """The function being written for ``target``: ``buffers`` are its operands, ``lanes`` those of a float vector."""

    def __init__(self, target: Target, buffers: Sequence[Value]) -> None:
        self.target, self.buffers, self.lanes = target, buffers, target.lanes

    @contextmanager
    def loop(self, first: Value, last: Value | None = None, kept: bool = False) -> Iterator[Value]:
        """``for i in range(first, last)``, or up to ``first`` alone; where it is ``kept``, LLVM does not unroll it.

        A loop over products that fill the registers would otherwise become longer, with more operands than there are registers.
        """
        bounds = (0, first) if last is None else (first, last)
        with build.serial(*map(index, bounds)) as i:
            if kept:
                IRBuilder.name(KEPT, i)
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

    def fetch(self, buffer: Value, at: Value) -> None:
        """Bring the line of an element into the second cache; where nothing is there, nothing happens."""
        read, second, data = (tirx.const(value, "int32") for value in (0, 2, 1))
        build.evaluate(spelled("void", "llvm.prefetch.p0", tirx.address_of(self.load(buffer, at)), read, second, data))

    def load_first(self, buffer: Value, at: Value, lanes: int) -> Value:
        """A whole vector of floats of which only the first ``lanes`` are read; the others are zero."""
        if lanes >= self.lanes:
            return self.load(buffer, at, self.lanes)
        given = tirx.address_of(self.load(buffer, at)), _ALIGNED, first_lanes(lanes, self.lanes), constant(0.0, self.lanes)
        return let(spelled(f"float32x{self.lanes}", f"llvm.masked.load.v{self.lanes}f32.p0", *given))

    def store_first(self, buffer: Value, value: Value, at: Value, lanes: int) -> None:
        """Store the first ``lanes`` of a whole vector of floats only."""
        if lanes >= self.lanes:
            return self.store(buffer, value, at)
        given = value, tirx.address_of(self.load(buffer, at)), _ALIGNED, first_lanes(lanes, self.lanes)
        build.evaluate(spelled("void", f"llvm.masked.store.v{self.lanes}f32.p0", *given))
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
    return tirx.Shuffle([value], _numbers(lanes))


def _numbers(lanes: Iterable[int]) -> list[Value]:
    return [tirx.const(lane, "int32") for lane in lanes]


def first_lanes(count: int, lanes: int) -> Value:
    """A vector of truth: whether a lane is one of the first."""
    return tirx.Shuffle([tirx.const(lane < count, "bool") for lane in range(lanes)], _numbers(range(lanes)))


def transposed(rows: Sequence[Value]) -> list[Value]:
    """As many vectors as each has lanes, a power of two, of which the first takes lane 0 of every row."""
    made, count, apart = list(rows), len(rows), 1
    while apart < count:
        low = _numbers(lane if not lane & apart else count + lane - apart for lane in range(count))
        high = _numbers(lane + apart if not lane & apart else count + lane for lane in range(count))
        pairs = {i: [made[i], made[i + apart]] for i in range(count) if not i & apart}
        for i, pair in pairs.items():
            made[i], made[i + apart] = let(tirx.Shuffle(pair, low)), let(tirx.Shuffle(pair, high))
        apart *= 2
    return made


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


def spelled(dtype: str, name: str, *arguments: Value) -> Value:
    """A call of what TIR cannot say, which is spelled out later (``edgeopt.codegen.tvm_spelling``)."""
    return tirx.call_extern(dtype, f"written.{name}", *arguments)


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
