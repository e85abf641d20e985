"""Codes of four bits as tiles read them: expanded into scratch memory, a panel at a time, to the indices of look-ups.

Where one look-up serves the four words of a block, an index holds the number of the word in its upper bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Operand, Temporary
from edgeopt.kernels.emit.emitter import I8, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_nibbles import packed
from edgeopt.target import Target


def across_words(target: Target) -> bool:
    """True where a table register holds the entries of four words, and an index is made of word and code."""
    return target.lookup == "vpermb"


@dataclass(frozen=True, eq=False)
class CodePanels:
    """Codes ``stored`` in nibbles as [panel, bytes], which expand to ``size`` indices each."""

    stored: Array
    size: int

    @property
    def bytes(self) -> int:
        """Bytes from one panel to the next."""
        return int(self.stored[0].size)

    def memory(self) -> Operand:
        """Scratch memory for an expanded panel."""
        return Temporary("panel", self.size, per_thread=True, dtype="int8")


def code_panels(target: Target, panels: Array) -> CodePanels:
    """``panels`` [n, ...] of codes in the order in which a tile reads them."""
    stored = packed(target, panels, 1)
    return CodePanels(stored, 2 * stored[0].size)


def code_vectors(target: Target, panel: Array) -> Array:
    """Codes ``[step][output][word]`` of a panel as vectors of indices, outputs filled up to whole vectors.

    Across words: ``[step][output][4]``. Else ``[step][word][vector][byte]``, where the outputs of the first half of a vector lie
    in its even bytes if the target adds bytes in pairs.
    """
    if across_words(target):
        return panel
    size = target.vector_bytes
    steps, outputs, words = panel.shape
    full = np.pad(panel, ((0, 0), (0, -outputs % size), (0, 0))).transpose(0, 2, 1).reshape(steps, words, -1, size)
    return full.reshape(*full.shape[:3], 2, -1).swapaxes(3, 4).reshape(full.shape) if target.lookup == "pshufb" else full


def expander(target: Target, panels: CodePanels) -> Any:
    """The function ``(codes, copy, panel, known)`` that expands a panel unless it is the ``known`` one, whose copy is there."""
    expand = _expand_function(target, panels.bytes)

    @inline
    def read(codes: Any, copy: Any, panel: Any, known: Any) -> Any:
        if panel != known:
            expand(codes, copy)
        return copy

    return read


def _expand_function(target: Target, stored: int) -> Any:
    def emit(e: Emitter, codes: Value, copy: Value) -> None:
        unit = 4 * e.lanes

        def body(index: Value) -> list[Value]:
            pairs = e.load_as(ir.VectorType(I8, unit), e.at(codes, e.builder.mul(index, integer(unit))))
            made = e.at(copy, e.builder.mul(index, integer(2 * unit)))
            for half, value in enumerate(indices(e, pairs)):
                e.store(value, made, half * unit)
            return []

        e.loop(stored // unit, [], body)

    return vector_function(target, 2, emit)


def indices(e: Emitter, pairs: Value) -> tuple[Value, Value]:
    """The indices that two vectors of codes in nibbles stand for."""
    kind = pairs.type
    low = e.builder.and_(pairs, ir.Constant(kind, [15] * kind.count))
    high = e.builder.lshr(pairs, ir.Constant(kind, [4] * kind.count))
    if not across_words(e.target):
        return low, high
    words = ir.Constant(kind, [i % 4 * 16 for i in range(kind.count)])
    return e.builder.or_(low, words), e.builder.or_(high, words)
