"""Weights in few bits: how they are stored for kernels, and the vector code that widens them to float32.

A panel is a matrix [depth, count] of codes, count a multiple of the lanes of a vector. Bytes and half precision lie
``[k][vector][lane]``. Codes of 4, 2 and 1 bits lie ``[k / 8][vector][lane]``, eight steps of k in an unsigned integer: the even
ones in its lower half, from the lowest bits on, the odd ones in its upper half. A single bit is set for -1 and clear for 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Origin, Packing
from edgeopt.kernels.emit.emitter import I8, I16, I32, Emitter, Value
from edgeopt.target import Target

STEPS = 8  # steps of k that are stored together
BITS = {"float16": 16, "int8": 8, "int4": 4, "int2": 2, "binary": 1}
HALF = ir.HalfType()


def storage_of(codes: Array) -> str:
    """The narrowest form that holds ``codes``: their values decide, not their type."""
    if codes.dtype == np.float16:
        return "float16"
    values = codes.astype(np.int8)
    if (np.abs(values) == 1).all():
        return "binary"
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    return "int2" if low >= -2 and high <= 1 else "int4" if low >= -8 and high <= 7 else "int8"


def place(kind: str, k: int) -> int:
    """The lowest bit of step k of a group in its integer. Steps that follow each other have the same place in either half."""
    return BITS[kind] * (k // 2 + k % 2 * (STEPS // 2))


def panel_bytes(kind: str, depth: int, count: int) -> int:
    """Bytes of a panel [depth, count]."""
    return depth * count * BITS[kind] // 8 if BITS[kind] >= 8 else -(-depth // STEPS) * count * BITS[kind]


def pack_panels(codes: Array, kind: str) -> Array:
    """Panels [..., depth, count] as bytes [..., ``panel_bytes``]."""
    depth, count = codes.shape[-2:]
    stored = _words(codes, kind) if BITS[kind] < STEPS else codes.astype(np.dtype(kind))
    return np.ascontiguousarray(stored).view(np.uint8).reshape(*codes.shape[:-2], panel_bytes(kind, depth, count))


def moved_from(source: Array, kind: str, order: Callable[..., Array], *how: Any) -> Origin | None:
    """What says that panels of ``kind`` hold ``order(source, *how)``, which can be hashed; None for codes of less than a byte."""
    return Origin(source, Packing(order, how)) if lies_whole(source, kind) else None


def lies_whole(codes: Array, kind: str) -> bool:
    """Whether panels of ``kind`` hold the elements of ``codes`` as they are: not those of less than a byte, which lie by twos."""
    return BITS[kind] >= 8 and codes.dtype == kind


def _words(codes: Array, kind: str) -> Array:
    """Codes of less than eight bits [..., depth, count] as unsigned integers of ``STEPS`` codes [..., depth / STEPS, count]."""
    values, bits, (depth, count) = codes.astype(np.int8), BITS[kind], codes.shape[-2:]
    padded = np.zeros((*values.shape[:-2], depth + -depth % STEPS, count), np.int8)
    padded[..., :depth, :] = values
    fields = (padded < 0 if kind == "binary" else padded & ((1 << bits) - 1)).astype(np.uint32)
    places = np.array([place(kind, k) for k in range(STEPS)], np.uint32).reshape(STEPS, 1)
    groups = fields.reshape(*values.shape[:-2], padded.shape[-2] // STEPS, STEPS, count)
    words: Array = (groups << places).sum(axis=-2, dtype=np.uint32).astype(f"<u{bits}")
    return words


def group_bytes(kind: str, vectors: int, lanes: int) -> int:
    """Bytes of ``STEPS`` steps of ``vectors`` vectors."""
    return vectors * lanes * BITS[kind]


def spare_registers(target: Target, kind: str) -> int:
    """Registers besides accumulators and words: an input, a widened weight, a table of codes."""
    return 3 if _table(target, kind) else 2


Rows = Callable[[int, int], Value]


def rows(e: Emitter, kind: str, w: Value, vectors: int) -> Rows:
    """Vector v of step k as float32, from the next ``STEPS`` steps at the byte pointer ``w``."""
    if BITS[kind] >= 8:
        return _wide(e, kind, w, vectors)
    words = [_word(e, kind, w, v) for v in range(vectors)]
    table = _table(e.target, kind)
    if kind == "int4" and e.lanes == len(table):
        return _pairs(e, words)
    if table:
        return lambda k, v: _looked_up(e, table, words[v], place(kind, k))
    return lambda k, v: _shifted(e, kind, words[v], k)


def _wide(e: Emitter, kind: str, w: Value, vectors: int) -> Rows:
    if kind == "float16":
        return lambda k, v: _widened_half(e, e.load_as(ir.VectorType(I16, e.lanes), w, 2 * (k * vectors + v) * e.lanes))
    together = min(16 // e.lanes, vectors) if e.target.multiplies_by_lane else 1  # Arm widens halves of a whole register
    loaded: dict[int, Value] = {}

    def value(k: int, v: int) -> Value:
        first = v - v % together
        if first + together > vectors:
            return _real(e, e.load_as(ir.VectorType(I8, e.lanes), w, (k * vectors + v) * e.lanes))
        place = (k * vectors + first) * e.lanes
        if place not in loaded:
            loaded[place] = e.load_as(ir.VectorType(I8, together * e.lanes), w, place)
        part = range((v - first) * e.lanes, (v - first + 1) * e.lanes)
        return _real(e, e.shuffle(loaded[place], loaded[place], part))

    return value


def _real(e: Emitter, codes: Value) -> Value:
    return e.builder.sitofp(e.builder.sext(codes, e.int_vector), e.vector)


def _word(e: Emitter, kind: str, w: Value, v: int) -> Value:
    width = ir.IntType(STEPS * BITS[kind])
    word = e.load_as(ir.VectorType(width, e.lanes), w, v * e.lanes * BITS[kind])
    return word if width == I32 else e.builder.zext(word, e.int_vector)


def _table(target: Target, kind: str) -> list[float]:
    """What the codes of an index mean, where one instruction looks floats up by the low bits of 32-bit lanes."""
    entries = target.lanes if target.triple.startswith("x86_64") and target.lanes in (8, 16) else 0
    if kind not in ("int4", "int2") or entries < 1 << BITS[kind]:
        return []  # a single bit is the sign of its float
    count = 1 << BITS[kind]
    codes = [c - count if c >= count // 2 else c for c in range(count)]
    return [float(codes[i % count]) for i in range(entries)]


def _looked_up(e: Emitter, table: list[float], word: Value, low: int) -> Value:
    index = e.builder.lshr(word, e.integers(low)) if low else word
    name = "llvm.x86.avx512.permvar.sf.512" if e.lanes == 16 else "llvm.x86.avx2.permps"
    function = e.declare(name, ir.FunctionType(e.vector, [e.vector, e.int_vector]))
    return e.builder.call(function, [ir.Constant(e.vector, table), index])


def _pairs(e: Emitter, words: list[Value]) -> Rows:
    """Codes of 4 bits, two steps at once, looked up in 16-bit lanes as the upper halves of their floats."""
    kind = ir.VectorType(I16, 2 * e.lanes)
    upper = (np.array([*range(8), *range(-8, 0)] * 2, np.float32).view(np.uint32) >> 16).astype(np.int16)
    function = e.declare("llvm.x86.avx512.permvar.hi.512", ir.FunctionType(kind, [kind, kind]))
    found: dict[tuple[int, int], Value] = {}

    def value(k: int, v: int) -> Value:
        pair = (k // 2, v)
        if pair not in found:
            index = e.builder.lshr(words[v], e.integers(4 * (k // 2))) if k // 2 else words[v]
            both = e.builder.call(function, [ir.Constant(kind, upper.tolist()), e.builder.bitcast(index, kind)])
            found[pair] = e.builder.bitcast(both, e.int_vector)
        both = found[pair]
        bits = e.builder.and_(both, e.integers(-(1 << 16))) if k % 2 else e.builder.shl(both, e.integers(16))
        return e.builder.bitcast(bits, e.vector)

    return value


def _shifted(e: Emitter, kind: str, word: Value, k: int) -> Value:
    left = 32 - BITS[kind] - place(kind, k)
    top = e.builder.shl(word, e.integers(left)) if left else word
    if kind == "binary":
        sign = e.builder.and_(top, e.integers(-(2**31)))
        return e.builder.bitcast(e.builder.or_(sign, e.integers(0x3F800000)), e.vector)
    return e.builder.sitofp(e.builder.ashr(top, e.integers(32 - BITS[kind])), e.vector)


def _widened_half(e: Emitter, bits: Value) -> Value:
    if e.target.widens_half == "fpext":
        return e.builder.fpext(e.builder.bitcast(bits, ir.VectorType(HALF, e.lanes)), e.vector)
    if e.target.widens_half == "vcvt":
        function = e.declare("llvm.arm.neon.vcvthf2fp", ir.FunctionType(e.vector, [bits.type]))
        return e.builder.call(function, [bits])
    return _half_by_integers(e, bits)


def _half_by_integers(e: Emitter, bits: Value) -> Value:
    """Half precision by arithmetic on its bits; finite numbers only. Below 2^-14 the mantissa counts units of 2^-24."""
    b, word = e.builder, e.builder.zext(bits, e.int_vector)
    magnitude = b.and_(word, e.integers(0x7FFF))
    normal = b.bitcast(b.add(b.shl(magnitude, e.integers(13)), e.integers(112 << 23)), e.vector)
    small = e.mul(b.sitofp(magnitude, e.vector), e.constant(2.0**-24))
    value = b.select(b.icmp_signed("<", magnitude, e.integers(0x400)), small, normal)
    sign = b.shl(b.and_(word, e.integers(0x8000)), e.integers(16))
    return b.bitcast(b.or_(b.bitcast(value, e.int_vector), sign), e.vector)
