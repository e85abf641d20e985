"""Vector code on 8-bit codes: rounding to integers, saturating narrowing, limits, broadcasts of four neighbouring bytes.

x86 narrows within 128-bit lanes, so its results are put in order by one permutation of 32-bit words.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from edgeopt.kernels.emit import I8, I32, Emitter, Value

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
    """The nearest int32 of floats, half to even; undefined beyond the range of int32."""
    if _is_x86(e):
        kind = ir.FunctionType(e.int_vector, [e.vector])
        return e.builder.call(e.declare(f"llvm.lrint.v{e.lanes}i32.v{e.lanes}f32", kind), [value])
    return e.builder.fptosi(e.call("rint", value), e.int_vector)


def narrow(e: Emitter, values: Sequence[Value], zero: Value | None, signed: bool) -> Value:
    """One to four int32 vectors plus ``zero`` (int16 in every lane, of a full register), saturated, as bytes one after the other.

    The bytes of missing vectors are undefined.
    """
    four = [values[min(i, len(values) - 1)] for i in range(4)]
    halves = [_halve(e, four[0], four[1], True), _halve(e, four[2], four[3], True) if len(values) > 2 else None]
    if zero is not None:
        halves = [None if half is None else _binary(e, "sadd.sat", half, zero) for half in halves]
    first, second = halves[0], halves[1] if halves[1] is not None else halves[0]
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


def look_up(e: Emitter, table: Value, codes: Value) -> Value:
    """table[codes[i]] for bytes of a full register, from a table of 256 bytes by bit pattern (registers of 512 bits)."""
    kind = codes.type
    parts = [e.load_as(kind, table, i * kind.count) for i in range(4)]
    function = e.declare("llvm.x86.avx512.vpermi2var.qi.512", ir.FunctionType(kind, [kind] * 3))
    low, high = (e.builder.call(function, [a, codes, b]) for a, b in (parts[:2], parts[2:]))
    return e.builder.select(e.builder.icmp_signed("<", codes, ir.Constant(kind, [0] * kind.count)), high, low)
