"""Panels of weights of an integer product: how they are stored, and where the tiles read them.

Codes of four bits lie in nibbles. A panel that several tiles read in turn is widened into scratch memory first where its codes
do not lie as the target multiplies them; the tiles read it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Operand, Origin, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.emitter import I8, I16, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_dot import dot_form, tile_parts
from edgeopt.kernels.integer.quant_nibbles import in_nibbles, nibbles, packed
from edgeopt.kernels.integer.quant_operands import WEIGHT
from edgeopt.target import Target

SHARED = 4  # tiles that have to read a panel of weights to make a widened copy worth while; chosen by hand


@dataclass(frozen=True, eq=False)
class Panels:
    """Weights ``stored`` as [panel, bytes], ``size`` codes in each; ``packed`` in nibbles; ``copied`` before tiles read them."""

    stored: Array
    size: int
    packed: bool
    copied: bool

    @property
    def bytes(self) -> int:
        """Bytes from one panel to the next."""
        return int(self.stored[0].size)

    @property
    def paired(self) -> bool:
        """True where the tiles read nibbles."""
        return self.packed and not self.copied

    def operand(self, site: Site, arrange: Callable[[Array], Array] | None) -> Packed:
        """The stored panels; where they are not in nibbles, ``arrange`` moves the weights of ``site`` to their places in them."""
        if arrange is None or self.packed:
            return Packed(self.stored)
        return Packed(self.stored, Origin(site.constant(WEIGHT), arrange))

    def wide(self, target: Target) -> bool:
        """True where the tiles read words."""
        return self.copied and tile_parts(target) > 1

    def memory(self, target: Target) -> Operand:
        """Scratch memory for a widened panel; another operand in its place when there is none."""
        return Temporary("panel", tile_parts(target) * self.size, per_thread=True, dtype="int8") if self.copied else Output()


def stored_panels(target: Target, weight: Array, panels: Array, vectors: int, tiles: int) -> Panels:
    """``panels`` of the codes ``weight`` as they are stored, for loop bodies of ``vectors`` and runs of ``tiles``."""
    in_pairs, size = in_nibbles(weight, vectors), panels[0].size
    stored = packed(target, panels, tile_parts(target)) if in_pairs else panels
    return Panels(stored, size, in_pairs, _widens(target, tiles, size, in_pairs))


def reader(target: Target, size: int, stored: int, copied: bool) -> Any:
    """The function ``(weights, copy, panel, known)`` that says where the tiles read a panel.

    A ``copied`` one is widened unless it is the ``known`` one, whose copy is there: chunks of a panel follow each other.
    """
    widen = _widen_function(target, size, stored < size)

    @inline
    def read(weights: Any, copy: Any, panel: Any, known: Any) -> Any:
        if not copied:
            return weights
        if panel != known:
            widen(weights, copy)
        return copy

    return read


def _widens(target: Target, tiles: int, size: int, paired: bool) -> bool:
    """True when a panel of ``size`` weights that ``tiles`` tiles read in turn is widened first: it stays near, and is used.

    Nibbles (``paired``) become bytes, and bytes words where the target multiplies those.
    """
    if dot_form(target) == "words":
        return tiles >= SHARED and 2 * size <= target.l2 // 8
    return paired and tiles >= SHARED and size <= target.l2 // 2


def _widen_function(target: Target, size: int, paired: bool) -> Any:
    """The function ``(weights, copy)`` that widens a panel of ``size`` weights; ``paired``: they lie in nibbles."""
    bytes_, kind = tile_parts(target), I16 if dot_form(target) == "words" else I8

    def emit(e: Emitter, w: Value, copy: Value) -> None:
        unit, together = 4 * e.lanes // bytes_, 2 if paired else 1

        def body(index: Value) -> list[Value]:
            codes = e.load_as(ir.VectorType(I8, unit), e.at(w, e.builder.mul(index, integer(unit))))
            made = e.at(copy, e.builder.mul(index, integer(bytes_ * unit * together)))
            for half, part in enumerate([nibbles(e, codes, False), nibbles(e, codes, True)] if paired else [codes]):
                wide = e.builder.sext(part, ir.VectorType(kind, unit)) if kind == I16 else part
                e.store(wide, made, bytes_ * unit * half)
            return []

        e.loop(size // unit // together, [], body)

    return vector_function(target, 2, emit)
