"""Vector code on 8-bit codes: rounding to integers, saturating narrowing, limits, broadcasts of four neighbouring bytes.

x86 narrows within 128-bit lanes, so its results are put in order by one permutation of 32-bit words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llvmlite import ir

from edgeopt.kernels.emit.emitter import F32, I8, I32, WHOLE, Emitter, Value
from edgeopt.target import Target

WHOLE_BITS = int(np.float32(WHOLE).view(np.int32))
_X86 = {16: "llvm.x86.avx512.{}.512", 8: "llvm.x86.avx2.{}"}


def splat_word(e: Emitter, pointer: Value, offset: int = 0, flipped: bool = False) -> Value:
    """The four bytes at ``pointer`` (``offset`` elements further) in every group of four bytes of a vector.

    ``flipped``: signed bytes become unsigned ones that are 128 greater (before they are spread, or LLVM 22 does not come to an
    end).
    """
    word = e.builder.load(e.builder.bitcast(e.at(pointer, offset), I32.as_pointer()), align=1)
    if flipped:
        word = e.builder.xor(word, ir.Constant(I32, -0x7F7F7F80))
    return e.builder.bitcast(e.splat(word), ir.VectorType(I8, 4 * e.lanes))


def flip(e: Emitter, codes: Value) -> Value:
    """Signed bytes as unsigned ones that are 128 greater."""
    return e.builder.add(codes, ir.Constant(codes.type, [-128] * codes.type.count))


def round_to_int(e: Emitter, value: Value) -> Value:
    """The nearest int32 of floats, half to even, for numbers below 2^22."""
    if _is_x86(e):
        kind = ir.FunctionType(e.int_vector, [e.vector])
        return e.builder.call(e.declare(f"llvm.lrint.v{e.lanes}i32.v{e.lanes}f32", kind), [value])
    if e.target.rounds_scalars and e.lanes == 1:  # LLVM would call a function for rint
        single = e.builder.bitcast(value, F32)
        rounded = e.builder.call(e.declare("llvm.arm.vcvtr.f32", ir.FunctionType(F32, [F32])), [single])
        return e.builder.bitcast(rounded, e.int_vector)
    if not e.target.rounds_vectors:
        return e.builder.sub(e.builder.bitcast(e.without_fraction(value), e.int_vector), e.integers(WHOLE_BITS))
    return e.builder.fptosi(e.call("rint", value), e.int_vector)


def narrow(e: Emitter, values: Sequence[Value], zero: Value | None, signed: bool, shift: Value | None = None) -> Value:
    """One to four int32 vectors plus ``zero`` (int16 in every lane, of a full register), saturated, as bytes one after the other.

    The bytes of missing vectors are undefined. ``shift`` (likewise): saturated to 16 bits they are shifted right.
    """
    four = [values[min(i, len(values) - 1)] for i in range(4)]
    halves = [_halve(e, four[0], four[1], True), _halve(e, four[2], four[3], True) if len(values) > 2 else None]
    if zero is not None:
        halves = [None if half is None else _binary(e, "sadd.sat", half, zero) for half in halves]
    first, second = halves[0], halves[1] if halves[1] is not None else halves[0]
    if shift is not None:
        first, second = (e.builder.ashr(half, shift) for half in (first, second))
    codes = _halve(e, first, second, signed)
    if not _is_x86(e):
        return codes
    words = e.builder.bitcast(codes, e.int_vector)
    lanes = e.lanes // 4
    ordered = e.shuffle(words, words, [4 * lane + vector for vector in range(4) for lane in range(lanes)])
    return e.builder.bitcast(ordered, codes.type)


def limit(e: Emitter, codes: Value, low: Value, high: Value, signed: bool) -> Value:
    """Bytes limited to [low, high]."""
    sign = "s" if signed else "u"
    return _binary(e, f"{sign}min", _binary(e, f"{sign}max", codes, low), high)


def store_parts(e: Emitter, codes: Value, pointer: Value, places: Sequence[int]) -> None:
    """Store part i (``lanes`` bytes) of ``codes`` at ``places[i]``; parts that end up side by side are stored together."""
    first = 0
    while first < len(places):
        end = first + 1
        while end < len(places) and places[end] == places[end - 1] + e.lanes:
            end += 1
        end = first + (4 if end - first == 4 else 2 if end - first >= 2 else 1)
        part = e.shuffle(codes, codes, range(first * e.lanes, end * e.lanes)) if end - first < 4 else codes
        bits = 8 * part.type.count
        e.store(e.builder.bitcast(part, ir.IntType(bits)) if bits <= 64 else part, pointer, places[first])
        first = end


def _is_x86(e: Emitter) -> bool:
    return e.target.triple.startswith("x86_64") and e.lanes in _X86


def _halve(e: Emitter, a: Value, b: Value, signed: bool) -> Value:
    """a and b saturated to half their width; within 128-bit lanes on x86, else one after the other."""
    width = a.type.element.width // 2
    kind = ir.VectorType(ir.IntType(width), 2 * a.type.count)
    if _is_x86(e):
        name = ("packss" if signed else "packus") + {16: "dw", 8: "wb"}[width]
        function = e.declare(_X86[e.lanes].format(name), ir.FunctionType(kind, [a.type, b.type]))
        return e.builder.call(function, [a, b])
    both = e.shuffle(a, b, range(2 * a.type.count))
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    for name, bound in (("smax", low), ("smin", high)):
        both = _binary(e, name, both, ir.Constant(both.type, [bound] * both.type.count))
    return e.builder.trunc(both, kind)


def _binary(e: Emitter, name: str, a: Value, b: Value) -> Value:
    function = e.declare(f"llvm.{name}.v{a.type.count}i{a.type.element.width}", ir.FunctionType(a.type, [a.type, a.type]))
    return e.builder.call(function, [a, b])


def looks_up(target: Target) -> bool:
    """True when ``look_up`` serves the target: registers of 512 bits with VBMI, of 256 with AVX2, 64-bit Arm."""
    forms = {"vpermb": (64, "x86_64"), "pshufb": (32, "x86_64"), "tbl": (16, "aarch64")}
    size, triple = forms.get(target.lookup, (0, ""))
    return target.vector_bytes == size and target.triple.startswith(triple)


def table_of(e: Emitter, pointer: Value) -> list[Value]:
    """The 256 bytes at ``pointer`` as ``look_up`` takes them: registers where there are enough, else pointers to 16 each."""
    if e.target.lookup == "pshufb":
        return [e.at(pointer, 16 * i) for i in range(16)]
    size = 4 * e.lanes
    return [e.load_as(ir.VectorType(I8, size), pointer, first) for first in range(0, 256, size)]


def look_up(e: Emitter, table: Sequence[Value], codes: Value) -> Value:
    """table[codes[i]] for bytes of a full register, from a table of 256 bytes by bit pattern (see ``table_of``)."""
    if e.target.lookup == "pshufb":
        return _look_up_nibbles(e, table, codes)
    kind = codes.type
    if e.target.lookup == "vpermb":
        function = e.declare("llvm.x86.avx512.vpermi2var.qi.512", ir.FunctionType(kind, [kind] * 3))
        low, high = (e.builder.call(function, [a, codes, b]) for a, b in (table[:2], table[2:]))
        return e.builder.select(e.builder.icmp_signed("<", codes, ir.Constant(kind, [0] * kind.count)), high, low)
    first = e.declare("llvm.aarch64.neon.tbl4.v16i8", ir.FunctionType(kind, [kind] * 5))
    further = e.declare("llvm.aarch64.neon.tbx4.v16i8", ir.FunctionType(kind, [kind] * 6))
    made = e.builder.call(first, [*table[:4], codes])
    for start in (4, 8, 12):  # an index beyond the 64 bytes of four registers leaves what is found already
        codes = e.builder.sub(codes, ir.Constant(kind, [64] * 16))
        made = e.builder.call(further, [made, *table[start : start + 4], codes])
    return made


def _look_up_nibbles(e: Emitter, table: Sequence[Value], codes: Value) -> Value:
    """All sixteen rows of the table by the low four bits, then one of two by each of the high bits, the lowest first."""
    kind, builder = codes.type, e.builder
    low = builder.and_(codes, ir.Constant(kind, [15] * kind.count))
    found = []
    for place in table:
        row = e.load_as(ir.VectorType(I8, 16), place)
        found.append(e.lookup(e.shuffle(row, row, [i % 16 for i in range(kind.count)]), low))
    for bit in range(4, 8):
        moved = builder.shl(codes, ir.Constant(kind, [7 - bit] * kind.count))
        is_set = builder.icmp_signed("<", moved, ir.Constant(kind, [0] * kind.count))
        found = [builder.select(is_set, b, a) for a, b in zip(found[::2], found[1::2], strict=True)]
    return found[0]
