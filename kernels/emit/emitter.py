"""The vector emitter: writes LLVM IR for one vector width, from the facts of a Target, inside numba intrinsics.

Values are LLVM vectors of ``lanes`` float32 (or as many int32, or four times as many bytes). Loops carry vectors in
registers and are never unrolled by LLVM, which would keep shared operands alive and spill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.target import Target

F32, I8, I16, I32, I64 = ir.FloatType(), ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
LINE, AHEAD = 64, 4096  # bytes of a line of a cache, and how far ahead a walk through memory asks for one (measured on x86)
BYTES_PTR = ir.PointerType(I8)
AS_WRITTEN = ("nsz",)  # an instruction with a flag of its own is given no others; the sign of zero decides nothing
WHOLE = 1.5 * 2.0**23
Value = Any


def integer(value: int) -> ir.Constant:
    """An i64 constant."""
    return ir.Constant(I64, value)


@lru_cache(4096)
def _constants(kind: str, values: tuple[Any, ...]) -> ir.Constant:
    """A vector of constants, float32 given as bytes; kept, since llvmlite writes the text of a constant once."""
    if kind == "i32":
        return ir.Constant(ir.VectorType(I32, len(values)), list(values))
    return ir.Constant(ir.VectorType(F32, len(values)), [float(np.frombuffer(value, np.float32)[0]) for value in values])


def declared(module: ir.Module, name: str, kind: ir.FunctionType) -> ir.Function:
    """The external function called ``name`` in ``module``, declared once."""
    known = module.globals.get(name)
    return known if known is not None else ir.Function(module, kind, name)


def signed_dot(target: Target) -> bool:
    """True when ``dot4`` multiplies signed codes: Arm has no product of unsigned and signed bytes."""
    return target.multiplies_by_lane


class Emitter:
    """Emits vector code at the position of ``builder``. Pointers are to elements; offsets count elements."""

    def __init__(self, target: Target, builder: Any) -> None:
        self.target, self.builder, self.lanes = target, builder, target.lanes
        self.vector = ir.VectorType(F32, self.lanes)
        self.int_vector = ir.VectorType(I32, self.lanes)

    def at(self, pointer: Value, offset: Value | int) -> Value:
        """The pointer ``offset`` elements further."""
        count = integer(offset) if isinstance(offset, int) else offset
        return self.builder.gep(pointer, [count])

    def load(self, pointer: Value, offset: int = 0) -> Value:
        """A vector of floats, from memory without alignment."""
        return self.load_as(self.vector, pointer, offset)

    def load_as(self, kind: Any, pointer: Value, offset: int = 0) -> Value:
        """A vector of type ``kind`` (or a scalar) from ``offset`` elements after ``pointer``."""
        place = self.builder.bitcast(self.at(pointer, offset), kind.as_pointer())
        return self.builder.load(place, align=_element_bytes(kind))

    def store(self, value: Value, pointer: Value, offset: int = 0) -> None:
        """Store a vector without alignment."""
        place = self.builder.bitcast(self.at(pointer, offset), value.type.as_pointer())
        self.builder.store(value, place, align=_element_bytes(value.type))

    def fetch(self, pointer: Value) -> None:
        """Bring the line at ``pointer``, to bytes, into the second cache; where nothing is there, nothing happens."""
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
        read, second, data = (ir.Constant(I32, value) for value in (0, 2, 1))
        self.builder.call(self.declare("llvm.prefetch.p0", kind), [pointer, read, second, data])

    def fetch_ahead(self, here: Value, size: int) -> None:
        """Bring what a walk through memory reads ``AHEAD`` bytes after the ``size`` bytes at ``here``, a pointer to bytes."""
        for place in range(0, size, LINE):
            self.fetch(self.at(here, AHEAD + place))

    def load_first(self, pointer: Value, count: int) -> Value:
        """The first ``count`` floats at ``pointer``; the other lanes are zero and their memory is not touched."""
        if count >= self.lanes:
            return self.load(pointer)
        return self.load_lanes(pointer, 0, count)

    def load_lanes(self, pointer: Value, first: int, last: int) -> Value:
        """The lanes from ``first`` up to ``last`` of the vector at ``pointer``; the others as ``load_first`` says."""
        if (first, last) == (0, self.lanes):
            return self.load(pointer)
        place, mask = self.builder.bitcast(pointer, self.vector.as_pointer()), self._mask(first, last)
        kind = ir.FunctionType(self.vector, [place.type, I32, mask.type, self.vector])
        function = self.declare(f"llvm.masked.load.v{self.lanes}f32.p0", kind)
        return self.builder.call(function, [place, ir.Constant(I32, 4), mask, self.constant(0.0)])

    def store_first(self, value: Value, pointer: Value, count: int) -> None:
        """Store the first ``count`` lanes only."""
        if count >= self.lanes:
            return self.store(value, pointer)
        self.store_lanes(value, pointer, 0, count)

    def store_lanes(self, value: Value, pointer: Value, first: int, last: int) -> None:
        """Store the lanes from ``first`` up to ``last`` where they lie in the vector at ``pointer``."""
        if (first, last) == (0, self.lanes):
            return self.store(value, pointer)
        place, mask = self.builder.bitcast(pointer, self.vector.as_pointer()), self._mask(first, last)
        kind = ir.FunctionType(ir.VoidType(), [self.vector, place.type, I32, mask.type])
        function = self.declare(f"llvm.masked.store.v{self.lanes}f32.p0", kind)
        self.builder.call(function, [value, place, ir.Constant(I32, 4), mask])

    def broadcast(self, pointer: Value, offset: int = 0) -> Value:
        """The float at ``offset`` in every lane."""
        return self.splat(self.load_as(F32, pointer, offset))

    def splat(self, scalar: Value) -> Value:
        """A scalar in every lane."""
        kind = ir.VectorType(scalar.type, self.lanes)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(I32, 0))
        return self.shuffle(one, one, [0] * self.lanes)

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """Lanes of a (0 ..) and b (after those of a)."""
        return self.builder.shuffle_vector(a, b, _constants("i32", tuple(lanes)))

    def transpose(self, rows: Sequence[Value]) -> list[Value]:
        """A square of vectors transposed, by exchanging ever larger blocks."""
        made, step = list(rows), 1
        while step < len(rows):
            for i in (i for i in range(len(rows)) if not i & step):
                a, b, n = made[i], made[i + step], self.lanes
                made[i] = self.shuffle(a, b, [n + k - step if k & step else k for k in range(n)])
                made[i + step] = self.shuffle(a, b, [n + k if k & step else k + step for k in range(n)])
            step *= 2
        return made

    def constant(self, value: float) -> ir.Constant:
        """A float32 constant in every lane."""
        return _constants("float", (np.float32(value).tobytes(),) * self.lanes)  # as bytes, which tell 0.0 from -0.0

    def integers(self, value: int) -> ir.Constant:
        """An int32 constant in every lane."""
        return _constants("i32", (value,) * self.lanes)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, in one rounding where the target has the instruction."""
        if not self.target.fma:
            return self.add(self.mul(a, b), c)
        return self.call("fma", a, b, c)

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        return self.builder.fadd(a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        return self.builder.fsub(a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """a * b."""
        return self.builder.fmul(a, b)

    def div(self, a: Value, b: Value) -> Value:
        """a / b."""
        return self.builder.fdiv(a, b)

    def maximum(self, a: Value, b: Value) -> Value:
        """The greater; b where a is not a number."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        """The lesser; b where a is not a number."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def call(self, name: str, *arguments: Value) -> Value:
        """An overloaded LLVM intrinsic of one type, such as ``fma``, ``rint``, ``sqrt`` or ``fabs``."""
        kind = arguments[0].type
        suffix = f"v{kind.count}f32" if isinstance(kind, ir.VectorType) else "f32"
        function = self.declare(f"llvm.{name}.{suffix}", ir.FunctionType(kind, [kind] * len(arguments)))
        return self.builder.call(function, arguments)

    def whole(self, x: Value) -> Value:
        """The nearest whole number, half to even, for numbers below 2^22."""
        if self.target.rounds_vectors:
            return self.call("rint", x)
        return self.builder.fsub(self.without_fraction(x), self.constant(WHOLE), flags=AS_WRITTEN)

    def without_fraction(self, x: Value) -> Value:
        """x + 1.5 * 2^23, which has no place for a fraction and whose low bits count; for numbers below 2^22."""
        return self.builder.fadd(x, self.constant(WHOLE), flags=AS_WRITTEN)

    def reduce_add(self, x: Value) -> Value:
        """The sum of the lanes, as a scalar, halving the vector at each step."""
        return self.halved(x, self.add if x.type.element == F32 else self.builder.add)

    def reduce_maximum(self, x: Value) -> Value:
        """The greatest of the lanes, as a scalar."""
        return self.halved(x, self.maximum)

    def halved(self, x: Value, combine: Callable[[Value, Value], Value]) -> Value:
        """What ``combine`` makes of all lanes, as a scalar, halving the vector at each step."""
        count = x.type.count
        while count > 1:
            count //= 2
            x = combine(*(self.shuffle(x, x, range(first, first + count)) for first in (0, count)))
        return self.builder.extract_element(x, ir.Constant(I32, 0))

    def loop(self, count: Value | int, carried: Sequence[Value], body: Callable[..., Sequence[Value]]) -> list[Value]:
        """``for i in range(count): carried = body(i, *carried)``, at least one iteration, carried values in registers."""
        if isinstance(count, int) and count == 1:
            return list(body(integer(0), *carried))
        if hasattr(self.builder, "counted_loop"):  # a builder of code whose loops are statements
            return list(self.builder.counted_loop(count, carried, body))
        before = self.builder.block
        head = self.builder.append_basic_block("tile")
        after = self.builder.append_basic_block("tile.end")
        self.builder.branch(head)
        self.builder.position_at_end(head)
        index = self.builder.phi(I64)
        phis = [self.builder.phi(value.type) for value in carried]
        results = list(body(index, *phis))
        following = self.builder.add(index, integer(1))
        limit = integer(count) if isinstance(count, int) else count
        branch = self.builder.cbranch(self.builder.icmp_signed("<", following, limit), head, after)
        branch.set_metadata("llvm.loop", self._no_unrolling())
        last = self.builder.block
        for phi, first, value in zip([index, *phis], [integer(0), *carried], [following, *results], strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(value, last)
        self.builder.position_at_end(after)
        return results

    def dot4(self, total: Value, codes: Value, weights: Value) -> Value:
        """total[i] + sum over j < 4 of codes[4 i + j] * weights[4 i + j], exact in int32.

        Weights are signed bytes. Codes are unsigned, but signed where ``signed_dot`` says so.
        """
        if self.target.dot4 == "vpdpbusd" and self.lanes in (8, 16):
            return self._dot(f"llvm.x86.avx512.vpdpbusd.{self.lanes * 32}", total, codes, weights)
        if self.target.dot4 == "sdot" and self.lanes == 4:
            return self._dot("llvm.aarch64.neon.sdot.v4i32.v16i8", total, codes, weights)
        widen = self.builder.sext if signed_dot(self.target) else self.builder.zext
        for tap in range(4):
            picks = range(tap, 4 * self.lanes, 4)
            a = widen(self.shuffle(codes, codes, picks), self.int_vector)
            b = self.builder.sext(self.shuffle(weights, weights, picks), self.int_vector)
            total = self.builder.add(total, self.builder.mul(a, b))
        return total

    def _dot(self, name: str, *arguments: Value) -> Value:
        kind = ir.FunctionType(self.int_vector, [a.type for a in arguments])
        return self.builder.call(self.declare(name, kind), arguments)

    def lookup(self, table: Value, index: Value) -> Value:
        """table[index[i]] for byte vectors of one register, index below the vector's bytes (for ``pshufb`` below 16)."""
        names = {"vpermb": "llvm.x86.avx512.permvar.qi.512", "tbl": "llvm.aarch64.neon.tbl1.v16i8"}
        if self.target.lookup == "pshufb" and self.lanes == 8:
            names["pshufb"] = "llvm.x86.avx2.pshuf.b"
        if self.target.lookup in names:
            function = self.declare(names[self.target.lookup], ir.FunctionType(index.type, [table.type, index.type]))
            return self.builder.call(function, [table, index])
        result = ir.Constant(index.type, ir.Undefined)
        for lane in range(index.type.count):
            place = self.builder.zext(self.builder.extract_element(index, ir.Constant(I32, lane)), I32)
            result = self.builder.insert_element(result, self.builder.extract_element(table, place), ir.Constant(I32, lane))
        return result

    def _mask(self, first: int, last: int) -> ir.Constant:
        return ir.Constant(ir.VectorType(ir.IntType(1), self.lanes), [int(first <= i < last) for i in range(self.lanes)])

    def declare(self, name: str, kind: ir.FunctionType) -> Value:
        """The external function (an LLVM intrinsic) called ``name``, declared once."""
        return declared(self.builder.module, name, kind)

    def _no_unrolling(self) -> Value:
        module = self.builder.module
        switch = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
        mark = module.add_metadata([switch, module.add_metadata([ir.MetaDataString(module, f"loop {len(module.metadata)}")])])
        mark.operands = (mark, switch)
        return mark


def _element_bytes(kind: Any) -> int:
    """The alignment of an access: that of an element; integers that are no vectors stand for several bytes."""
    if not isinstance(kind, ir.VectorType):
        return 4 if kind == F32 else 1
    return 4 if kind.element == F32 else int(kind.element.width) // 8
