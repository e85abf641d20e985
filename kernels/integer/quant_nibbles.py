"""Weights of four bits for integer tiles: two vectors of codes in one vector of bytes, taken apart in registers.

The vectors of weights of a panel, in the order in which a tile reads them, lie in pairs: the first in the lower halves of the
bytes, the second in the upper. The products stay what they are, the same bits as with a byte for each code.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.target import Target

LOWEST, HIGHEST = -8, 7


def in_nibbles(weight: Array, vectors: int) -> bool:
    """True when the codes fit four bits and a loop body of ``vectors`` vectors of weights is whole pairs."""
    return bool(weight.size) and int(weight.min()) >= LOWEST and int(weight.max()) <= HIGHEST and vectors % 2 == 0


def packed(target: Target, panels: Array, parts: int) -> Array:
    """Panels [n, ...] of codes as bytes [n, stored]; a tile reads ``parts`` vectors of a step, one after the other."""
    size = target.vector_bytes // parts
    flat = panels.reshape(panels.shape[0], -1)
    padded = np.pad(flat, ((0, 0), (0, -flat.shape[1] % (2 * size)))).reshape(flat.shape[0], -1, 2, size).astype(np.int32)
    made: Array = (padded[:, :, 0] & 15 | padded[:, :, 1] << 4).astype(np.uint8).view(np.int8)
    return made.reshape(flat.shape[0], -1)


def nibbles(e: Emitter, pairs: Value, upper: bool) -> Value:
    """The codes in one half of the bytes of a vector, as signed bytes."""
    kind = pairs.type

    def all_of(number: int) -> ir.Constant:
        return ir.Constant(kind, [number] * kind.count)

    if e.target.multiplies_by_lane:  # Arm shifts bytes, x86 does not
        return e.builder.ashr(pairs if upper else e.builder.shl(pairs, all_of(4)), all_of(4))
    codes = e.builder.lshr(pairs, all_of(4)) if upper else e.builder.and_(pairs, all_of(15))
    return e.builder.sub(e.builder.xor(codes, all_of(8)), all_of(8))
