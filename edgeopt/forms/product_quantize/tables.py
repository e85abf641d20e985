"""The unit of the tables of bytes: as fine as it can be without cutting off more than that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array

LARGEST_SHIFT = 8
SHARES = 2.0 ** -np.arange(0, 4, 0.5)  # of the range of all entries
SOME = 1 << 17  # entries that are looked at


@dataclass(frozen=True)
class Unit:
    """Codewords are integers times ``step``; entries of tables count 2^``shift`` products of codes and integers."""

    step: float
    shift: int


def unit_of(books: Sequence[Array], inputs: Sequence[Array], scale: float, seed: int) -> Unit:
    """The Unit for codebooks [S, A, K, C'] of each group and ``inputs`` [rows, S taps C'], whose codes are ``scale`` apart.

    Among shares of the range of the entries that the inputs make, the one whose rounding and cutting loses least.
    """
    entries = np.concatenate([_entries(b, x, seed) for b, x in zip(books, inputs, strict=False)])
    reach, widest = float(np.abs(entries).max(initial=0)), max(float(np.abs(b).max(initial=0)) for b in books)
    if not reach or not widest:
        return Unit((widest or 1.0) / 127, LARGEST_SHIFT)
    units = [reach / 127 * share for share in SHARES]
    best = min(units, key=lambda u: float(np.square(np.clip(np.rint(entries / u), -128, 127) * u - entries).sum()))
    finest = widest / 127
    shift = int(np.clip(np.floor(np.log2(best / (scale * finest))), 0, LARGEST_SHIFT))
    return Unit(max(best / (scale * 2.0**shift), finest), shift)


def _entries(books: Array, inputs: Array, seed: int) -> Array:
    """Some inner products of inputs and codewords."""
    spaces, count, words, size = books.shape
    rng, taps = np.random.default_rng(seed), inputs.shape[1] // (spaces * size)
    points = inputs.reshape(len(inputs), spaces, taps, size)
    picked = rng.integers(0, len(inputs) * taps, max(1, SOME // (spaces * count * words)))
    chosen = points[picked // taps, :, picked % taps]  # [picked, S, C']
    return np.asarray(np.einsum("nsi,saki->nsak", chosen, books, optimize=True).reshape(-1))
