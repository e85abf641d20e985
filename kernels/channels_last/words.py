"""Scalar code for processors of 32 bits: LLVM IR with indices of 32 bits, whole loop nests of a kernel in one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from edgeopt.kernels.emit.emitter import F32, I8, I32, Emitter, Value, declared
from edgeopt.target import Target

PAIR = ir.VectorType(ir.IntType(16), 2)


def word(value: int) -> ir.Constant:
    """An i32 constant."""
    return ir.Constant(I32, value)


class Words:
    """Emits scalar code at the position of ``builder``. Pointers are to bytes, offsets count bytes."""

    def __init__(self, target: Target, builder: Any) -> None:
        self.target, self.builder = target, builder

    def emitter(self) -> Emitter:
        """The vector emitter at the same place."""
        return Emitter(self.target, self.builder)

    def bytes(self, pointer: Value) -> Value:
        """``pointer`` as one to bytes."""
        return self.builder.bitcast(pointer, I8.as_pointer())

    def at(self, pointer: Value, offset: Value | int) -> Value:
        """The pointer ``offset`` bytes further."""
        if isinstance(offset, int) and not offset:
            return pointer
        return self.builder.gep(pointer, [word(offset) if isinstance(offset, int) else offset])

    def load(self, kind: Any, pointer: Value, offset: Value | int = 0, align: int = 1) -> Value:
        """A value of type ``kind``."""
        return self.builder.load(self.builder.bitcast(self.at(pointer, offset), kind.as_pointer()), align=align)

    def store(self, value: Value, pointer: Value, offset: Value | int = 0, align: int = 1) -> None:
        """Store ``value``."""
        self.builder.store(value, self.builder.bitcast(self.at(pointer, offset), value.type.as_pointer()), align=align)

    def code(self, pointer: Value, offset: Value | int, signed: bool) -> Value:
        """The byte there as i32."""
        return (self.builder.sext if signed else self.builder.zext)(self.load(I8, pointer, offset), I32)

    def integer(self, pointer: Value, offset: Value | int = 0) -> Value:
        """The aligned i32 there."""
        return self.load(I32, pointer, offset, 4)

    def real(self, pointer: Value, offset: Value | int = 0) -> Value:
        """The aligned float there."""
        return self.load(F32, pointer, offset, 4)

    def add(self, a: Value, b: Value | int) -> Value:
        """a + b."""
        return self.builder.add(a, word(b) if isinstance(b, int) else b)

    def mul(self, a: Value, b: Value | int) -> Value:
        """a * b."""
        return self.builder.mul(a, word(b) if isinstance(b, int) else b)

    def least(self, a: Value, b: Value | int) -> Value:
        """The lesser of signed numbers."""
        other = word(b) if isinstance(b, int) else b
        return self.builder.select(self.builder.icmp_signed("<", a, other), a, other)

    def below(self, a: Value, b: Value | int) -> Value:
        """0 <= a < b for b >= 0, in one comparison."""
        return self.builder.icmp_unsigned("<", a, word(b) if isinstance(b, int) else b)

    def call(self, name: str, result: Any, *arguments: Value) -> Value:
        """An external function such as an LLVM intrinsic."""
        kind = ir.FunctionType(result, [a.type for a in arguments])
        return self.builder.call(declared(self.builder.module, name, kind), arguments)

    def ordered(self, pointer: Value, offset: int) -> Value:
        """The aligned i32 there, neither kept from an earlier load nor loaded ahead, both of which would spill."""
        place = self.builder.bitcast(self.at(pointer, offset), I32.as_pointer())
        return self.builder.load_atomic(place, "monotonic", 4)

    def widened(self, codes: Value, signed: bool) -> tuple[Value, Value]:
        """Bytes 0 and 2, and bytes 1 and 3, of a word as pairs of 16 bits."""
        return self.widened_half(codes, signed, 0), self.widened_half(codes, signed, 1)

    def widened_half(self, codes: Value, signed: bool, half: int) -> Value:
        """Bytes ``half`` and ``half + 2`` of a word as a pair of 16 bits."""
        turned = self.call("llvm.fshl.i32", I32, codes, codes, word(24)) if half else codes
        return self.call("llvm.arm.sxtb16" if signed else "llvm.arm.uxtb16", I32, turned)

    def loop(self, count: Value | int, carried: Sequence[Value], body: Callable[..., Sequence[Value]]) -> list[Value]:
        """``for i in range(count): carried = body(i, *carried)``, at least one iteration, never unrolled."""
        if isinstance(count, int) and count == 1:
            return list(body(word(0), *carried))
        builder, before = self.builder, self.builder.block
        head, after = builder.append_basic_block("loop"), builder.append_basic_block("loop.end")
        builder.branch(head)
        builder.position_at_end(head)
        index, phis = builder.phi(I32), [builder.phi(value.type) for value in carried]
        results = list(body(index, *phis))
        following = builder.add(index, word(1), flags=("nuw", "nsw"))
        more = builder.icmp_unsigned("<", following, word(count) if isinstance(count, int) else count)
        builder.cbranch(more, head, after).set_metadata("llvm.loop", self._not_unrolled())
        for phi, first, value in zip([index, *phis], [word(0), *carried], [following, *results], strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(value, builder.block)
        builder.position_at_end(after)
        return results

    def when(self, condition: Value, then: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        """One of two pieces of code."""
        builder = self.builder
        first, after = builder.append_basic_block("then"), builder.append_basic_block("end")
        second = builder.append_basic_block("else") if otherwise is not None else after
        builder.cbranch(condition, first, second)
        for block, part in ((first, then), (second, otherwise)):
            if part is not None:
                builder.position_at_end(block)
                part()
                builder.branch(after)
        builder.position_at_end(after)

    def chosen(self, condition: Value, then: Callable[[], Value], otherwise: Callable[[], Value], rarely: bool = False) -> Value:
        """The value of one of two pieces of code; ``rarely``: the first of them is."""
        builder, ends = self.builder, []
        first, second = builder.append_basic_block("then"), builder.append_basic_block("else")
        after = builder.append_basic_block("end")
        branch = builder.cbranch(condition, first, second)
        if rarely:
            branch.set_weights((1, 2000))
        for block, part in ((first, then), (second, otherwise)):
            builder.position_at_end(block)
            ends.append((part(), builder.block))
            builder.branch(after)
        builder.position_at_end(after)
        phi = builder.phi(ends[0][0].type)
        for value, block in ends:
            phi.add_incoming(value, block)
        return phi

    def _not_unrolled(self) -> Value:
        module = self.builder.module
        switch = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
        name = ir.MetaDataString(module, f"loop {len(module.metadata)}")
        mark = module.add_metadata([switch, module.add_metadata([name])])
        mark.operands = (mark, switch)
        return mark
