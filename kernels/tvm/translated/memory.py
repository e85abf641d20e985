"""Operands as kernels see them: memory behind an address, read and written as elements of any type at places of any alignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from tvm import tirx
from tvm.ir import PointerType, PrimType
from tvm.tirx.script.builder import ir as build

from edgeopt.kernels.call import Declined
from edgeopt.kernels.tvm.writer import Value, index

_FLOATS = {ir.HalfType(): "float16", ir.FloatType(): "float32", ir.DoubleType(): "float64"}
ENDLESS = 1 << 48  # elements of a buffer of which only the address is known


class Memory:
    """What lies behind ``address``, a pointer of TIR; it is seen as a buffer of any element type, from its first use on.

    A view is the same address, so that it is known wherever the address is.
    """

    def __init__(self, address: Value, scope: str = "global") -> None:
        self._address, self._scope, self._views = address, scope, dict[str, Value]()

    def _view(self, dtype: str) -> Value:
        if dtype not in self._views:
            kind = PointerType(PrimType(dtype), self._scope)
            seen = tirx.Var(f"as_{dtype}", kind)
            build.bind(tirx.reinterpret(kind, self._address), var=seen)
            self._views[dtype] = build.decl_buffer((ENDLESS,), dtype, data=seen, scope=self._scope)
        return self._views[dtype]

    def element(self, dtype: str, place: Value, lanes: int = 1) -> Value:
        """``lanes`` neighbours from element ``place`` on."""
        return self._view(dtype)[self._range(place, lanes)]

    def put(self, dtype: str, value: Value, place: Value, lanes: int = 1) -> None:
        """Store ``lanes`` neighbours."""
        build.buffer_store(self._view(dtype), value, [self._range(place, lanes)])

    @staticmethod
    def _range(place: Value, lanes: int) -> Value:
        return index(place) if lanes == 1 else tirx.Ramp(index(place), index(1), lanes)


def local_memory(dtype: str, elements: int) -> Memory:
    """Memory of the function itself, in registers where LLVM finds that it can be."""
    return Memory(build.alloc_buffer((elements,), dtype, scope="local").data, "local")


@dataclass(frozen=True, eq=False)
class Pointer:
    """``offset`` times ``unit`` bytes behind the address of ``memory``; what lies there is of llvmlite's type ``pointee``.

    ``dtype`` is the element type, with its sign, where the kernel itself reads there.
    """

    memory: Memory
    offset: Value | int
    unit: int
    pointee: Any
    dtype: str = ""

    @property
    def type(self) -> Any:
        """The type that vector functions see."""
        return ir.PointerType(self.pointee)


@dataclass(frozen=True, eq=False)
class Either:
    """The place ``there`` where the ``condition`` holds, ``otherwise`` another one, of another operand: only one is touched."""

    condition: Value
    there: Pointer
    otherwise: Pointer

    def each(self, change: Callable[[Pointer], Pointer]) -> Either:
        """The same of both places after a ``change``."""
        return Either(self.condition, change(self.there), change(self.otherwise))

    @property
    def unit(self) -> int:
        """Raises Declined: neither is read or written in parts."""
        raise Declined("its vector code does more with one of two operands than read or write a vector")

    @property
    def pointee(self) -> Any:
        """What lies at both."""
        return self.there.pointee

    @property
    def type(self) -> Any:
        """The type that vector functions see."""
        return self.there.type


def bytes_of(kind: Any) -> int:
    """The bytes of an element of a type."""
    element = element_of(kind)
    return -(-element.width // 8) if isinstance(element, ir.IntType) else np.dtype(_FLOATS[element]).itemsize


def element_of(kind: Any) -> Any:
    """The element of a vector type; a scalar is its own."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def count_of(kind: Any) -> int:
    """The elements of a type."""
    return int(kind.count) if isinstance(kind, ir.VectorType) else 1


def dtype_of(kind: Any) -> str:
    """TIR's name of a type of llvmlite; its integers are signed."""
    element, count = element_of(kind), count_of(kind)
    name = _FLOATS.get(element) or ("bool" if element.width == 1 else f"int{element.width}")
    return name if count == 1 else f"{name}x{count}"


def llvm_type(dtype: str) -> Any:
    """llvmlite's type of a scalar."""
    if dtype == "bool":
        return ir.IntType(1)
    if dtype.startswith("float"):
        return ir.FloatType() if dtype == "float32" else ir.DoubleType()
    return ir.IntType(8 * np.dtype(dtype).itemsize)


def moved(pointer: Pointer, count: Value | int) -> Pointer:
    """``count`` elements further."""
    size = bytes_of(pointer.pointee) * count_of(pointer.pointee)
    if size < pointer.unit:
        pointer = counted_in(pointer, size)
    steps = count if size == pointer.unit else times(count, size // pointer.unit)
    return with_offset(pointer, plus(pointer.offset, steps))


def with_offset(pointer: Pointer, offset: Value | int) -> Pointer:
    """The pointer with another offset."""
    return Pointer(pointer.memory, offset, pointer.unit, pointer.pointee, pointer.dtype)


def counted_in(pointer: Pointer, unit: int) -> Pointer:
    """The same place, its offset counted in elements of ``unit`` bytes, which are no larger."""
    offset = times(pointer.offset, pointer.unit // unit)
    return Pointer(pointer.memory, offset, unit, pointer.pointee, pointer.dtype)


def plus(a: Value | int, b: Value | int) -> Value | int:
    """a + b of indices."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if isinstance(a, int) and a == 0:
        return b
    return a if isinstance(b, int) and b == 0 else tirx.Add(index(a), index(b))


def times(a: Value | int, b: int) -> Value | int:
    """a * b of indices."""
    if isinstance(a, int) or b == 1:
        return a * b if isinstance(a, int) else a
    return tirx.Mul(index(a), index(b))


def read(pointer: Pointer, kind: Any) -> Value:
    """What lies at ``pointer``, as a vector or scalar of ``kind``."""
    size, count, dtype = bytes_of(kind), count_of(kind), dtype_of(kind)
    if pointer.unit < size:
        small = pointer.memory.element(f"int{8 * pointer.unit}", pointer.offset, count * size // pointer.unit)
        return tirx.reinterpret(dtype, small)
    return pointer.memory.element(dtype.split("x")[0], counted_in(pointer, size).offset, count)


def write(pointer: Pointer, value: Value, kind: Any) -> None:
    """Store a vector or scalar of ``kind`` at ``pointer``."""
    size, count = bytes_of(kind), count_of(kind)
    if pointer.unit >= size:
        return pointer.memory.put(dtype_of(kind).split("x")[0], value, counted_in(pointer, size).offset, count)
    dtype, lanes = f"int{8 * pointer.unit}", count * size // pointer.unit
    return pointer.memory.put(dtype, tirx.reinterpret(f"{dtype}x{lanes}", value), pointer.offset, lanes)
