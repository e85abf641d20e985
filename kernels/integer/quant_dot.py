"""How steps of four neighbouring codes enter the sums of an integer tile: the form that suits the target, always exact.

| form   | instructions                | a step of x is                       | weights of a step, for each vector |
|--------|-----------------------------|--------------------------------------|------------------------------------|
| spread | vpdpbusd                    | four bytes in every lane             | [lane][4]                          |
| lane   | sdot by lane                | a lane of 8 or 16 bytes loaded once  | [lane][4]                          |
| long   | smull, smlal, sadalp        | two pairs of bytes in every lane     | [half][lane][2]                    |
| words  | vpmaddwd, on x as int16     | one pair of int16 in every lane      | [half][lane][2]                    |

``words`` reads x from a copy that was widened before: int16 holds codes of either sign, and no sum of two products leaves int32.
It is also the form of codes of 16 bits, on every target; unsigned ones are copied as int16 that are 32768 less.
Its weights are widened as they are loaded, or panel by panel into scratch memory where several tiles read them.
In ``long`` two products of signed bytes meet in int16 before they are widened, which holds unless all four are -128.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, KernelCall, Operand, Temporary, Tensor
from edgeopt.kernels.emit.emit_bytes import splat_word
from edgeopt.kernels.emit.emitter import I8, I16, I32, Emitter, Value
from edgeopt.kernels.integer.quant_nibbles import nibbles
from edgeopt.kernels.stated import stating
from edgeopt.target import Target

PAIRED = ("long", "words")
WORDS = "words"  # in the place of the 8-bit dot product, see ``for_words``
WIDENED = 4096  # codes in a chunk of a widened copy
_MULTIPLY_WORDS = {16: "llvm.x86.avx512.pmaddw.d.512", 8: "llvm.x86.avx2.pmadd.wd", 4: "llvm.x86.sse2.pmadd.wd"}


@dataclass(frozen=True)
class Moved:
    """The form of a copy (x, y) of codes as ``result``: 128 more where that is uint8, else less by the third constant.

    Constants are the number of codes, those in a chunk, and what is taken off.
    """

    result: str


def for_words(target: Target) -> Target:
    """The target as tiles see it whose x holds codes of 16 bits: they multiply words on every target."""
    return replace(target, dot4=WORDS)


def dot_form(target: Target) -> str:
    """The form, from the facts of ``target``."""
    if target.dot4 == WORDS:
        return "words"
    if target.dot4 == "sdot":
        return "lane"
    if target.multiplies_by_lane:
        return "long"
    return "words" if target.multiplies_words else "spread"


def tile_parts(target: Target) -> int:
    """Parts in which a tile takes a step, one after the other: all sums see the first before any sees the second."""
    return 2 if dot_form(target) == "words" else 1


def sums_ahead(target: Target) -> int:
    """Sums whose products are under way at once (``long``), each in a register."""
    return target.vector_registers // 8


def pixels_fitting(target: Target, vectors: int) -> int:
    """Pixels of a tile whose sums, with what a step keeps besides them, stay in registers."""
    form, each = dot_form(target), vectors
    besides = {"spread": 1, "lane": 1, "long": 2 + sums_ahead(target), "words": 3}[form]
    if form in ("lane", "long"):
        each += 1  # the codes of several steps
    return max(1, (target.vector_registers - vectors - besides) // each)


def arranged(target: Target, panel: Array) -> Array:
    """Weights ``[k / 4][output][4]`` in the order in which a tile reads them."""
    if dot_form(target) not in PAIRED:
        return panel
    words, outputs, _ = panel.shape
    return panel.reshape(words, outputs // target.lanes, target.lanes, 2, 2).transpose(0, 1, 3, 2, 4)


def meets_limit(target: Target, weight: Array) -> bool:
    """True when two products may not fit 16 bits, in which Arm may add them, because a weight is -128."""
    return target.multiplies_by_lane and bool(weight.size) and int(weight.min()) < -127


def widened(target: Target, x: Tensor) -> tuple[tuple[KernelCall, ...], Operand]:
    """The operand a tile reads x from, and the call that makes it where the target wants a widened copy."""
    if dot_form(target) != "words" or x.type.dtype == "int16":
        return (), Input(0)
    copy, moved = Temporary("widened", x.elements, dtype="int16"), 32768 if x.type.dtype == "uint16" else 0
    return (KernelCall(_widen, (Input(0), copy), (x.elements, WIDENED, moved), -(-x.elements // WIDENED)),), copy


def as_multiplied(target: Target, x: Tensor) -> tuple[tuple[KernelCall, ...], Operand]:
    """As ``widened``; signed bytes, which ``spread`` would flip at each use, are flipped once in a copy."""
    if not flips_before(target, x.type.dtype):
        return widened(target, x)
    copy = Temporary("flipped", x.elements, dtype="uint8")
    return (KernelCall(_flip, (Input(0), copy), (x.elements, WIDENED), -(-x.elements // WIDENED)),), copy


def flips_before(target: Target, dtype: str) -> bool:
    """Whether ``as_multiplied`` makes a copy of codes of type ``dtype`` whose sign is changed already."""
    return dot_form(target) == "spread" and dtype == "int8"


def _flip(x: Any, y: Any, begin: Any, end: Any, size: Any, run: Any) -> None:
    for i in range(begin * run, min(end * run, size)):
        y[i] = np.uint8(np.int32(x[i]) + 128)


def _widen(x: Any, y: Any, begin: Any, end: Any, size: Any, run: Any, moved: Any) -> None:
    for i in range(begin * run, min(end * run, size)):
        y[i] = np.int16(np.int32(x[i]) - np.int32(moved))


stating(_flip, Moved("uint8"))
stating(_widen, Moved("int16"))


class Steps:
    """The ``steps`` of x for all ``pixels`` of a tile, and their products with weights. Offsets count codes.

    ``flipped``: codes of x change sign, by 128, before they enter. ``limit``: a weight may be -128. ``wide``: weights are int16.
    ``paired``: they lie in nibbles.
    """

    def __init__(
        self, e: Emitter, x: Value, pixels: Sequence[int], steps: Sequence[int], flipped: bool, limit: bool, wide: bool,
        paired: bool = False,
    ) -> None:  # fmt: skip
        self.e, self.x, self.pixels, self.steps = e, x, pixels, steps
        self.flipped, self.limit, self.wide, self.paired = flipped, limit, wide, paired and not wide
        self.form, self.lanes = dot_form(e.target), e.lanes
        self._together: dict[tuple[int, int], Value] = {}
        self._pairs: dict[int, Value] = {}
        self._recent: list[Value] = []

    @property
    def parts(self) -> int:
        """Parts in which a step is taken."""
        return tile_parts(self.e.target)

    def weight(self, w: Value, index: int, part: int) -> Value:
        """Part of the weights of vector ``index`` (steps and vectors counted through) at w."""
        e, size = self.e, 4 * self.lanes // self.parts
        words, place = ir.VectorType(I16, size), (index * self.parts + part) * size
        if self.wide:
            return e.load_as(words, w, 2 * place)
        codes = self._unpaired(w, place, size) if self.paired else e.load_as(ir.VectorType(I8, size), w, place)
        return e.builder.sext(codes, words) if self.form == "words" else codes

    def behind(self, w: Value, vectors: int) -> Value:
        """The place of the weights behind those of all steps, for ``vectors`` vectors."""
        codes = len(self.steps) * vectors * 4 * self.lanes
        return self.e.at(w, codes // 2 if self.paired else codes * (2 if self.wide else 1))

    def _unpaired(self, w: Value, place: int, size: int) -> Value:
        number, upper = place // size // 2, place // size % 2 == 1
        if number not in self._pairs:
            self._pairs[number] = self.e.load_as(ir.VectorType(I8, size), w, number * size)
        return nibbles(self.e, self._pairs[number], upper)

    def value(self, k: int, p: int, part: int) -> Any:
        """Part of step k of pixel p, as ``dot`` takes it."""
        e, place = self.e, self.pixels[p] + self.steps[k]
        if self.form == "spread":
            return splat_word(e, self.x, place, self.flipped)
        if self.form == "words":
            pair = e.builder.load(e.builder.bitcast(e.at(self.x, place + 2 * part), I32.as_pointer()), align=2)
            return e.builder.bitcast(e.splat(pair), ir.VectorType(I16, 2 * e.lanes))
        if self.form == "lane":
            return self._lane(k, p, I32, 0)
        return [self._lane(k, p, I16, half) for half in range(2)]

    def _lane(self, k: int, p: int, kind: Any, half: int) -> Value:
        """Element ``half`` of ``kind`` of step k in every lane, out of as many steps as lie side by side."""
        e, bits, (first, count) = self.e, kind.width, self._run(k)
        if (first, p) not in self._together:
            codes = e.load_as(ir.VectorType(I8, 4 * count), self.x, self.pixels[p] + self.steps[first])
            flip = ir.Constant(codes.type, [-128] * codes.type.count)
            self._together[first, p] = e.builder.xor(codes, flip) if self.flipped else codes
        several = e.builder.bitcast(self._together[first, p], ir.VectorType(kind, 32 * count // bits))
        spread = e.shuffle(several, several, [(k - first) * 32 // bits + half] * (128 // bits))
        return e.builder.bitcast(spread if kind is I32 else kept(e, spread), ir.VectorType(I8, 16))

    def _run(self, k: int) -> tuple[int, int]:
        """The first and the number (1, 2 or 4) of steps that are loaded together with step k."""
        for count in (4, 2):
            first = k - k % count
            if tuple(self.steps[first : first + count]) == tuple(range(self.steps[first], self.steps[first] + 4 * count, 4)):
                return first, count
        return k, 1

    def dots(self, totals: Sequence[Value], value: Any, weights: Sequence[Value]) -> list[Value]:
        """The totals of one pixel with the products of a step (or part of one) added, one vector after the other."""
        if self.form == "long":
            return self._long(totals, value, weights)
        return [self._dot(total, value, weight) for total, weight in zip(totals, weights, strict=True)]

    def _dot(self, total: Value, value: Value, weight: Value) -> Value:
        e = self.e
        if self.form == "words":
            products = multiply_words(e, value, weight)
            return kept(e, e.builder.add(total, products))  # LLVM would add products to each other first, and spill them
        return e.dot4(total, weight, value) if self.form == "lane" else e.dot4(total, value, weight)

    def _long(self, totals: Sequence[Value], halves: Sequence[Value], weights: Sequence[Value]) -> list[Value]:
        """Few sums at a time, all in the same stage, so that a processor that works in order does not wait for its products."""
        e, (low, high), ahead = self.e, halves, sums_ahead(self.e.target)
        made: list[Value] = []
        for first in range(0, len(totals), ahead):
            few = slice(first, first + ahead)
            low = kept(e, low, *self._recent)
            starts = [_products(e, low, weight, 0) for weight in weights[few]]
            high = kept(e, high, *starts)
            ends = [_products(e, high, weight, 1) for weight in weights[few]]
            if self.limit:
                sums = [add_pairs(e, total, start) for total, start in zip(totals[few], starts, strict=True)]
            else:
                sums, ends = list(totals[few]), [e.builder.add(*pair) for pair in zip(starts, ends, strict=True)]
            sums[0] = kept(e, sums[0], *ends)
            self._recent = [add_pairs(e, total, end) for total, end in zip(sums, ends, strict=True)]
            made += self._recent
        return made


def _products(e: Emitter, codes: Value, weights: Value, half: int) -> Value:
    """The eight products of one half of two registers of signed bytes, as int16."""
    picks = range(8 * half, 8 * half + 8)
    a, b = (e.builder.sext(e.shuffle(v, v, picks), ir.VectorType(I16, 8)) for v in (codes, weights))
    return e.builder.mul(a, b)


def multiply_words(e: Emitter, a: Value, b: Value) -> Value:
    """a[2 i] * b[2 i] + a[2 i + 1] * b[2 i + 1] of int16, in int32 (x86: vpmaddwd; Arm: smull, smlal; else two products)."""
    if not e.target.triple.startswith("x86_64"):
        halves = [[e.shuffle(v, v, range(tap, 2 * e.lanes, 2)) for v in (a, b)] for tap in range(2)]
        wide = [[e.builder.sext(v, e.int_vector) for v in half] for half in halves]
        return e.builder.add(*(e.builder.mul(*half) for half in wide))
    kind = ir.FunctionType(e.int_vector, [a.type] * 2)
    return e.builder.call(e.declare(_MULTIPLY_WORDS[e.lanes], kind), [a, b])


def kept(e: Emitter, value: Value, *before: Value) -> Value:
    """The same value, behind a barrier without instructions that also waits for the values ``before``; no vector needs none."""
    if e.lanes == 1:
        return value
    register = "x" if e.target.triple.startswith("x86_64") else "w"
    kinds = [v.type for v in (value, *before)]
    barrier = ir.InlineAsm(ir.FunctionType(value.type, kinds), "", f"={register},0" + f",{register}" * len(before))
    return e.builder.call(barrier, [value, *before])


def add_pairs(e: Emitter, total: Value, words: Value) -> Value:
    """total[i] + words[2 i] + words[2 i + 1], of four int32 and eight int16 (Arm: sadalp, vpadal)."""
    if e.target.triple.startswith("aarch64"):
        kind = ir.FunctionType(e.int_vector, [words.type])
        return e.builder.add(total, e.builder.call(e.declare("llvm.aarch64.neon.saddlp.v4i32.v8i16", kind), [words]))
    kind = ir.FunctionType(e.int_vector, [e.int_vector, words.type])
    return e.builder.call(e.declare("llvm.arm.neon.vpadals.v4i32.v8i16", kind), [total, words])
