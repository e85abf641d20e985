"""Arithmetic that is rounded as it is written, so that it gives the same bits on every target.

Kernels may otherwise contract a product and a sum into one rounding, which some processors do and others do not: harmless for
floats, but a number that lies between two codes would become one of them here and the other one there.
"""

from __future__ import annotations

from llvmlite import ir

from edgeopt.kernels.emit.emitter import AS_WRITTEN, I64, Emitter, Value, integer

DROPPED = 29  # bits of a double that a float has no place for


class ExactEmitter(Emitter):
    """An emitter whose sums, products and quotients are rounded one by one, and whose ``fma`` is rounded once everywhere."""

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        return self.builder.fadd(a, b, flags=AS_WRITTEN)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        return self.builder.fsub(a, b, flags=AS_WRITTEN)

    def mul(self, a: Value, b: Value) -> Value:
        """a * b."""
        return self.builder.fmul(a, b, flags=AS_WRITTEN)

    def div(self, a: Value, b: Value) -> Value:
        """a / b."""
        return self.builder.fdiv(a, b, flags=AS_WRITTEN)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c in one rounding, by doubles where the target has no such instruction."""
        return self.call("fma", a, b, c) if self.target.fma else self._fused(a, b, c)

    def _fused(self, a: Value, b: Value, c: Value) -> Value:
        """The product is exact in double. Its sum with c is rounded to odd, so that rounding it again to float is no second one

        (Boldo and Melquiond, Emulation of a FMA and correctly rounded sums, 2008).
        """
        wide = ir.VectorType(ir.DoubleType(), self.lanes)
        x, y, z = (self.builder.fpext(v, wide) for v in (a, b, c))
        product = self.mul(x, y)
        total = self.add(product, z)
        bits = self.builder.bitcast(total, ir.VectorType(I64, self.lanes))
        if self.lanes > 1:
            return self._rounded(total, bits, product, z)
        ending = self.builder.and_(self.builder.extract_element(bits, integer(0)), integer((1 << DROPPED) - 1))
        before = self.builder.block
        near = self.builder.fptrunc(total, self.vector)
        with self.builder.if_then(self.builder.icmp_unsigned("==", ending, integer(1 << DROPPED - 1)), likely=False):
            corrected, inside = self._rounded(total, bits, product, z), self.builder.block
        made = self.builder.phi(self.vector)
        made.add_incoming(near, before)
        made.add_incoming(corrected, inside)
        return made

    def _rounded(self, total: Value, bits: Value, product: Value, z: Value) -> Value:
        """``total``, whose ``bits`` are given, as a float; rounded to odd first, by the error of the sum (Knuth's)."""
        b, one = self.builder, ir.Constant(bits.type, [1] * self.lanes)
        zero = ir.Constant(total.type, [0.0] * self.lanes)
        other = self.sub(total, product)
        error = self.add(self.sub(product, self.sub(total, other)), self.sub(z, other))
        away = b.icmp_signed("==", b.fcmp_ordered(">", error, zero), b.fcmp_ordered(">", total, zero))
        moved = b.select(away, b.add(bits, one), b.sub(bits, one))
        even = b.icmp_signed("==", b.and_(bits, one), ir.Constant(bits.type, [0] * self.lanes))
        odd = b.select(b.and_(b.fcmp_ordered("!=", error, zero), even), moved, bits)
        return b.fptrunc(b.bitcast(odd, total.type), self.vector)


def exactly(e: Emitter) -> ExactEmitter:
    """An emitter at the same place whose arithmetic is rounded as it is written."""
    return ExactEmitter(e.target, e.builder)
