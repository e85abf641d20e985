"""A builder of TIR with the face of llvmlite's, so that the vector emitter writes TIR where it otherwise writes LLVM IR.

Every result is bound to a name at once. What TIR cannot say stands as a call of ``written.*``, which is spelled out in the text
that TVM's code generator makes (``edgeopt.codegen.tvm_text``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script.builder import ir as build

from edgeopt.kernels.call import Declined
from edgeopt.kernels.tvm.translated.memory import (
    Either,
    Pointer,
    count_of,
    counted_in,
    dtype_of,
    element_of,
    local_memory,
    moved,
    read,
    with_offset,
    write,
)
from edgeopt.kernels.tvm.translated.vector_values import (
    Emitted,
    Operand,
    as_unsigned,
    bound,
    expr,
    is_nan,
    numbers_of,
    splat,
    truth_of,
)
from edgeopt.kernels.tvm.writer import KEPT, Value, index, spelled

I64 = ir.IntType(64)
_COMPARED = {"<": tirx.LT, ">": tirx.GT, "<=": tirx.LE, ">=": tirx.GE, "==": tirx.EQ, "!=": tirx.NE}
_SPELLED = ("llvm.masked.", "llvm.prefetch")  # intrinsics of memory: each version of LLVM has its own operands


class VectorBuilder:
    """What the emitter asks of a builder."""

    def __init__(self) -> None:
        self.module = ir.Module()

    def _made(self, kind: Any, value: Value) -> Emitted:
        return Emitted(kind, bound(value))

    # addresses and memory

    def gep(self, pointer: Pointer | Either, indices: Sequence[Operand], **_: Any) -> Pointer | Either:
        """The place some elements further."""
        (step,) = indices
        count = step.constant if isinstance(step, ir.Constant) else tirx.Cast("int64", expr(step))
        return pointer.each(lambda place: _further(place, count)) if isinstance(pointer, Either) else _further(pointer, count)

    def load(self, pointer: Pointer | Either, align: int | None = None, **_: Any) -> Emitted:
        """What a pointer points to."""
        if isinstance(pointer, Either):
            values = [read(p, pointer.pointee) for p in (pointer.there, pointer.otherwise)]
            return self._made(pointer.pointee, tirx.if_then_else(pointer.condition, *values))
        return self._made(pointer.pointee, read(pointer, pointer.pointee))

    def store(self, value: Operand, pointer: Pointer | Either, align: int | None = None) -> None:
        """Store a value."""
        if not isinstance(pointer, Either):
            return write(pointer, expr(value), value.type)
        with build.If(pointer.condition):
            with build.Then():
                write(pointer.there, expr(value), value.type)
            with build.Else():
                write(pointer.otherwise, expr(value), value.type)

    def alloca(self, kind: Any, size: int = 1, **_: Any) -> Pointer:
        """Memory for ``size`` values, as long as the function runs."""
        element = element_of(kind)
        unit = {32: 4, 16: 2, 8: 1, 64: 8}[getattr(element, "width", 32)]
        return Pointer(local_memory(dtype_of(element), size * count_of(kind)), 0, unit, kind)

    @contextmanager
    def goto_entry_block(self) -> Iterator[None]:
        """TVM puts memory of the function at its beginning by itself."""
        yield

    def fence(self, ordering: str, scope: str) -> None:
        """Nothing of memory is moved across."""
        build.evaluate(spelled("void", "fence"))

    def ptrtoint(self, pointer: Pointer, kind: Any) -> Emitted:
        """How far behind its operand a pointer is, of which only differences are asked."""
        return self._made(kind, tirx.Cast(dtype_of(kind), index(counted_in(pointer, 1).offset)))

    # vectors

    def shuffle_vector(self, a: Operand, b: Operand, lanes: ir.Constant) -> Emitted:
        """Lanes of a and b."""
        chosen, count = numbers_of(lanes), count_of(a.type)
        if isinstance(a, Emitted) and isinstance(a.expr, tirx.Broadcast) and max(chosen) < count:
            return Emitted(ir.VectorType(element_of(a.type), len(chosen)), splat(a.expr.value, len(chosen)))
        vectors = [expr(a)] if max(chosen) < count else [expr(a), expr(b)]
        vectors *= -(-len(chosen) // (count * len(vectors)))  # TVM wants as many lanes as it takes
        if count == 1 and not any(chosen):
            return self._made(ir.VectorType(element_of(a.type), len(chosen)), splat(vectors[0], len(chosen)))
        made = tirx.Shuffle(vectors, [tirx.const(lane, "int32") for lane in chosen])
        return self._made(ir.VectorType(element_of(a.type), len(chosen)), made)

    def insert_element(self, vector: Operand, value: Operand, place: ir.Constant) -> Emitted:
        """A vector with another lane; the one lane of an undefined vector may be all its lanes."""
        count = count_of(vector.type)
        everywhere = splat(expr(value), count)
        if isinstance(vector, ir.Constant) or count == 1:
            return Emitted(vector.type, everywhere)
        lanes = [count + i if i == place.constant else i for i in range(count)]
        return self._made(vector.type, tirx.Shuffle([expr(vector), everywhere], [tirx.const(i, "int32") for i in lanes]))

    def extract_element(self, vector: Operand, place: Operand) -> Emitted:
        """A lane."""
        kind = element_of(vector.type)
        if count_of(vector.type) == 1:
            return Emitted(kind, expr(vector))
        if isinstance(place, ir.Constant):
            return self._made(kind, tirx.Shuffle([expr(vector)], [tirx.const(place.constant, "int32")]))
        memory = self.alloca(vector.type)
        self.store(vector, memory)
        return self.load(moved(self.bitcast(memory, kind.as_pointer()), tirx.Cast("int64", expr(place))))

    def bitcast(self, value: Operand, kind: Any) -> Any:
        """The same bits as another type."""
        if isinstance(value, Either):
            return value.each(lambda place: _seen_as(place, kind))
        if isinstance(value, Pointer):
            return _seen_as(value, kind)
        if dtype_of(value.type) == dtype_of(kind):
            return Emitted(kind, expr(value))
        return self._made(kind, tirx.reinterpret(dtype_of(kind), expr(value)))

    def select(self, condition: Operand, a: Operand, b: Operand) -> Any:
        """a where the condition holds, else b."""
        if isinstance(a, Pointer) and isinstance(b, Pointer):
            if a.memory is not b.memory:
                return Either(expr(condition), a, b)
            unit = min(a.unit, b.unit)
            places = [index(counted_in(p, unit).offset) for p in (a, b)]
            return with_offset(counted_in(a, unit), bound(tirx.Select(expr(condition), *places)))
        return self._made(a.type, tirx.Select(expr(condition), expr(a), expr(b)))

    # arithmetic

    def _signed(self, operation: Callable[[Value, Value], Value]) -> Callable[..., Emitted]:
        return lambda a, b, **_: self._made(a.type, operation(expr(a), expr(b)))

    def _unsigned(self, operation: Callable[[Value, Value], Value]) -> Callable[..., Emitted]:
        def compute(a: Operand, b: Operand, **_: Any) -> Emitted:
            made = operation(as_unsigned(expr(a)), as_unsigned(expr(b)))
            return self._made(a.type, tirx.Cast(dtype_of(a.type), made))

        return compute

    def __getattr__(self, name: str) -> Callable[..., Emitted]:
        if name in _SIGNED:
            return self._signed(_SIGNED[name])
        if name in _UNSIGNED:
            return self._unsigned(_UNSIGNED[name])
        if name in _FLOAT:
            return lambda a, b, flags=(): self._float(name, a, b, flags)
        raise Declined(f"its vector code has '{name}', which has no TIR")

    def _float(self, name: str, a: Operand, b: Operand, flags: Sequence[str]) -> Emitted:
        x, y = expr(a), expr(b)
        if flags:  # an instruction with flags of its own is given no others
            dtype = dtype_of(a.type)
            return self._made(a.type, spelled(dtype, f"{name}.{dtype}", x, y))
        return self._made(a.type, _FLOAT[name](x, y))

    def fneg(self, a: Operand, **_: Any) -> Emitted:
        """-a."""
        minus = splat(tirx.const(-1.0, dtype_of(element_of(a.type))), count_of(a.type))
        return self._made(a.type, tirx.Mul(expr(a), minus))

    def icmp_signed(self, how: str, a: Operand, b: Operand) -> Emitted:
        """Whether a and b compare so, as signed integers."""
        return self._made(truth_of(a.type), _COMPARED[how](expr(a), expr(b)))

    def icmp_unsigned(self, how: str, a: Operand, b: Operand) -> Emitted:
        """Whether a and b compare so, as unsigned integers."""
        return self._made(truth_of(a.type), _COMPARED[how](*(as_unsigned(expr(v)) for v in (a, b))))

    def fcmp_ordered(self, how: str, a: Operand, b: Operand, **_: Any) -> Emitted:
        """Whether a and b are numbers that compare so (always, by ``ord``)."""
        if how == "ord":
            return self._made(truth_of(a.type), tirx.Not(expr(self.fcmp_unordered("uno", a, b))))
        return self.icmp_signed(how, a, b)

    def fcmp_unordered(self, how: str, a: Operand, b: Operand, **_: Any) -> Emitted:
        """Whether a and b compare so (never, by ``uno``), or one of them is not a number."""
        if how == "uno":
            return self._made(truth_of(a.type), tirx.Or(*(is_nan(expr(v)) for v in (a, b))))
        opposite = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "!=": "=="}
        return self._made(truth_of(a.type), tirx.Not(_COMPARED[opposite[how]](expr(a), expr(b))))

    def _cast(self, value: Operand, kind: Any) -> Emitted:
        return self._made(kind, tirx.Cast(dtype_of(kind), expr(value)))

    sext = trunc = sitofp = fptosi = fpext = fptrunc = _cast

    def zext(self, value: Operand, kind: Any) -> Emitted:
        """An unsigned integer made wider."""
        if element_of(value.type).width == 1:
            return self._cast(value, kind)
        wide = tirx.Cast(dtype_of(kind).replace("int", "uint", 1), as_unsigned(expr(value)))
        return self._made(kind, tirx.Cast(dtype_of(kind), wide))

    def uitofp(self, value: Operand, kind: Any) -> Emitted:
        """An unsigned integer as a float."""
        return self._made(kind, tirx.Cast(dtype_of(kind), as_unsigned(expr(value))))

    def fma(self, a: Operand, b: Operand, c: Operand, **_: Any) -> Emitted:
        """a * b + c in one rounding."""
        values = [expr(v) for v in (a, b, c)]
        return self._made(a.type, tirx.call_llvm_pure_intrin(dtype_of(a.type), "llvm.fma", *values))

    def call(self, function: Any, arguments: Sequence[Operand], **_: Any) -> Emitted | None:
        """An intrinsic of LLVM, or instructions of the processor. Raises Declined for other functions."""
        result = function.function_type.return_type
        if isinstance(function, ir.InlineAsm):
            dtype, (text, operands) = dtype_of(result), (part.encode().hex() for part in (function.asm, function.constraint))
            return self._made(result, spelled(dtype, f"asm.{dtype}.x{text}.x{operands}", *map(expr, arguments)))
        name = function.name
        if not name.startswith("llvm."):
            raise Declined(f"its vector code calls '{name}'")
        values = [_address(a) if isinstance(a, Pointer) else expr(a) for a in arguments]
        dtype = "void" if isinstance(result, ir.VoidType) else dtype_of(result)
        written = name.startswith(_SPELLED)
        made = spelled(dtype, name, *values) if written else tirx.call_llvm_pure_intrin(dtype, name, *values)
        if dtype == "void":
            build.evaluate(made)
            return None
        return self._made(result, made)

    # control

    def counted_loop(self, count: Operand | int, carried: Sequence[Any], body: Callable[..., Sequence[Any]]) -> list[Any]:
        """``for i in range(count): carried = body(i, *carried)``, at least one iteration, not unrolled."""
        cells = [_Cell(self, value) for value in carried]
        with build.serial(index(0), index(count) if isinstance(count, int) else expr(count)) as i:
            IRBuilder.name(KEPT, i)
            results = body(Emitted(I64, i), *(cell.get() for cell in cells))
            for cell, value in zip(cells, results, strict=True):
                cell.set(value)
        return [cell.get() for cell in cells]


class _Cell:
    """What a loop carries: a value, or how far a pointer has come."""

    def __init__(self, builder: VectorBuilder, first: Any) -> None:
        self._builder, self._first = builder, first
        kind = I64 if isinstance(first, Pointer) else first.type
        self._place = builder.alloca(kind)
        self.set(first)

    def get(self) -> Any:
        value = self._builder.load(self._place)
        return with_offset(self._first, value.expr) if isinstance(self._first, Pointer) else value

    def set(self, value: Any) -> None:
        if isinstance(value, Pointer):
            if value.unit < self._first.unit or value.memory is not self._first.memory:
                raise Declined("a loop of its vector code moves a pointer by less than what it points to")
            value = Emitted(I64, index(counted_in(value, self._first.unit).offset))
        self._builder.store(value, self._place)


def _address(pointer: Pointer) -> Value:
    return tirx.address_of(pointer.memory.element(f"int{8 * pointer.unit}", pointer.offset))


def _logical(plain: Callable[[Value, Value], Value], truth: Callable[[Value, Value], Value]) -> Callable[[Value, Value], Value]:
    return lambda a, b: (truth if str(a.ty.dtype).startswith("bool") else plain)(a, b)


_SIGNED: dict[str, Callable[[Value, Value], Value]] = {
    "add": tirx.Add,
    "sub": tirx.Sub,
    "mul": tirx.Mul,
    "sdiv": tirx.Div,
    "srem": tirx.Mod,
    "shl": tirx.shift_left,
    "ashr": tirx.shift_right,
    "and_": _logical(tirx.bitwise_and, tirx.And),
    "or_": _logical(tirx.bitwise_or, tirx.Or),
    "xor": _logical(tirx.bitwise_xor, tirx.NE),
}
_UNSIGNED: dict[str, Callable[[Value, Value], Value]] = {"lshr": tirx.shift_right, "udiv": tirx.Div, "urem": tirx.Mod}
_FLOAT: dict[str, Callable[[Value, Value], Value]] = {"fadd": tirx.Add, "fsub": tirx.Sub, "fmul": tirx.Mul, "fdiv": tirx.Div}


def _further(pointer: Pointer, count: Any) -> Pointer:
    further = moved(pointer, count)
    return further if isinstance(further.offset, int) else with_offset(further, bound(further.offset))


def _seen_as(pointer: Pointer, kind: Any) -> Pointer:
    return Pointer(pointer.memory, pointer.offset, pointer.unit, kind.pointee)
