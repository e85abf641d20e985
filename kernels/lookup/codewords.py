"""The codes and codebooks of a node as look-ups take them: sixteen codewords for each word of four neighbouring channels.

Codebooks of narrower sub-spaces lie side by side in a word, each zero where the others are, and add up like additive ones do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Site
from edgeopt.kernels.integer.quant_operands import BIAS, X, finished, per_tensor
from edgeopt.kernels.integer.requantize import Numbers, Requantize

CODES, CODEBOOKS, SCALE = 3, 4, 5  # inputs of LookupConv and LookupGemm
WORD, WORDS = 4, 16  # channels of a word, and codewords in a table
MAGNITUDE = 128  # of an entry of a table


@dataclass(frozen=True, eq=False)
class Codewords:
    """``codes`` [A, M, words of a group, kernel...] in uint8 and ``books`` [A, groups, words of a group, 16, 4] in int8."""

    codes: Array
    books: Array

    @property
    def lookups(self) -> int:
        """Look-ups for one result."""
        return int(self.codes[:, 0].size)


def codewords(site: Site, channels: int) -> Codewords:
    """Those of a node with ``channels`` in a group. Raises Declined for sub-spaces and codebooks that do not fit a table."""
    codes, books = site.constant(CODES).astype(np.uint8), site.constant(CODEBOOKS)
    count, outputs, spaces = codes.shape[:3]
    _, total, words, size = books.shape
    if WORD % size or words > WORDS:
        raise Declined(f"{words} codewords of {size} channels do not fit tables of {WORDS} codewords of {WORD} or fewer channels")
    beside, groups = WORD // size, total // spaces
    more = -spaces % beside
    codes = np.pad(codes, ((0, 0), (0, 0), (0, more), *[(0, 0)] * (codes.ndim - 3)))
    full = np.zeros((count, groups, spaces + more, WORDS, size), np.int8)
    full[:, :, :spaces, :words] = books.reshape(count, groups, spaces, words, size)
    full[:, :, spaces - 1, :, channels - (spaces - 1) * size :] = 0
    made = np.zeros((count, beside, groups, (spaces + more) // beside, WORDS, WORD), np.int8)
    for i in range(beside):
        made[:, i, ..., i * size : (i + 1) * size] = full[:, :, i::beside]
    apart = codes.reshape(count, outputs, -1, beside, *codes.shape[3:])
    together = np.moveaxis(apart, 3, 1).reshape(count * beside, outputs, -1, *codes.shape[3:])
    return Codewords(together, made.reshape(count * beside, *made.shape[2:]))


def ending(site: Site, outputs: int, lookups: int) -> tuple[Requantize, Numbers]:
    """The end of ``outputs`` sums of ``lookups`` entries each, which are in units of x_scale scale 2^shift."""
    unit = per_tensor(site, X + 1)[0] * site.constant(SCALE).astype(np.float64).reshape(-1) * 2.0 ** site.node.integer("shift", 0)
    step = np.broadcast_to(unit, outputs)
    bias = site.constant(BIAS) if site.optional(BIAS) is not None else np.zeros(outputs)
    codes = np.rint(np.divide(bias, step, out=np.zeros(outputs), where=step > 0))
    largest = np.abs(codes) + float(MAGNITUDE * lookups)
    if (largest >= 2**31).any():
        raise Declined("its bias does not fit 32 bits in units of its tables")
    return finished(site, codes.astype(np.int64), step, largest)
